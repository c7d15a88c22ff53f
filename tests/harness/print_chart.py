"""`make chart`: writes what each example of the chart renders to, where it is checked in."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from harness.charts import EXAMPLES, helm_of, rendered


async def write() -> int:
    """Write them; the number of those that could not be rendered."""
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        helm = await helm_of(Path(home), dict(os.environ))  # noqa: TID251 - the edge at which it is read
        for example in EXAMPLES:
            ended = await helm.template("--values", example)
            wrong += ended.status != 0
            if ended.status:
                sys.stderr.write(f"{example.name}: {ended.complaint}\n")
            else:
                rendered(example).write_text(ended.out)
    return wrong


if __name__ == "__main__":
    sys.exit(asyncio.run(write()))
