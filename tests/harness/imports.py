"""What a fresh process loads when it imports something."""

import subprocess
import sys
from functools import cache

CODE = "import sys, {module}; print(*sys.modules)"


@cache
def loaded_with(module: str) -> frozenset[str]:
    """The names of all modules that are loaded once `module` is; asked once a run, as it takes a second."""
    command = (sys.executable, "-c", CODE.format(module=module))
    return frozenset(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
