"""`make fuzz`: atheris on every target, each in its own process, from where the last run ended."""

import argparse
import subprocess
import sys
from pathlib import Path

from fuzz.seeds import SEEDS

RUNS = 1_000_000
LONGEST_BYTES = 4096
ONE = """
import sys
import atheris
with atheris.instrument_imports(include=["fleet_worker", "fleet_client", "fleet_contracts"]):
    from fuzz.targets import TARGETS
atheris.Setup(sys.argv[1:], TARGETS[sys.argv[1]])
atheris.Fuzz()
"""


def main() -> int:
    """Fuzz what is asked for; 0 where no promise was broken."""
    given = _given()
    ends = [_fuzz(target, given.runs, given.corpus / target) for target in given.targets or SEEDS]
    return max(ends)


def _fuzz(target: str, runs: int, corpus: Path) -> int:
    found = corpus / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-runs={runs}",
        f"-max_len={LONGEST_BYTES}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
    )
    print(f"== {target}: {runs} inputs, corpus in {corpus}", flush=True)  # noqa: T201 - what a person waits for
    return subprocess.run((sys.executable, "-c", ONE, target, *options, str(corpus)), check=False).returncode


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*SEEDS, []], help="all where none is named")
    parser.add_argument("--runs", type=int, default=RUNS, help="inputs for each (%(default)s)")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="what was learned (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
