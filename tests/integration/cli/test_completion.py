"""Completion as a real shell does it, with the script that the command prints."""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.sockets

PATIENCE_S = 60
PRESS_TAB = """
eval "$(_FLEET_COMPLETE=source_bash fleet)"
complete -p fleet
for line in "fleet do" "fleet topology a" "fleet ask --lane b" "fleet ask --max"; do
    read -ra COMP_WORDS <<<"$line"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _fleet_completion fleet
    echo "$line: ${COMPREPLY[*]}"
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed, so nothing completes in it")
async def test_bash_completes_commands_options_and_choices(private_environ: Mapping[str, str]):
    path = f"{Path(sys.executable).parent}:{private_environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "bash",
        "--norc",
        "-euc",
        PRESS_TAB,
        env={**private_environ, "PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert (process.returncode, err.decode()) == (0, "")
    assert out.decode().splitlines() == [
        "complete -o default -F _fleet_completion fleet",
        "fleet do: doctor",
        "fleet topology a: apply",
        "fleet ask --lane b: batch",
        "fleet ask --max: --max-tokens",
    ]
