"""`make simulate`: runs seeds, or one seed with its history."""

import argparse
import gc
import sys
from contextlib import nullcontext
from time import process_time

from simulation.mutants import MUTANTS, planted
from simulation.run import Verdict, hunt, simulate, simulate_many


def main() -> int:
    """Run what was asked for; 1 where a seed fails."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="print its history")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="with this step done wrong")
    parser.add_argument("--mutants", action="store_true", help="find the seed that finds out each mutant")
    asked = parser.parse_args()
    # What was imported is never garbage, and takes longer to look through than all that a run leaves.
    gc.freeze()
    if asked.mutants:
        return _mutants(asked.seeds)
    with planted(asked.mutant) if asked.mutant else nullcontext():
        return _seeds(asked)


def _seeds(asked: argparse.Namespace) -> int:
    if asked.seed is not None:
        return _one(asked.seed, trace=asked.trace)
    began = process_time()
    failed = simulate_many(range(asked.first, asked.first + asked.seeds), _say)
    took_s = process_time() - began
    sys.stdout.write(
        f"{asked.seeds} seeds in {took_s:.1f} s of processor time "
        f"({asked.seeds / took_s * 60:.0f} a minute), {len(failed)} failed\n"
    )
    return 1 if failed else 0


def _one(seed: int, *, trace: bool) -> int:
    verdict = simulate(seed)
    if trace:
        sys.stdout.writelines(f"{event}\n" for event in verdict.history.events)
    sys.stdout.write(f"{verdict.scenario}\n")
    _say(verdict, always=True)
    return 1 if verdict.wrong else 0


def _mutants(most: int) -> int:
    missed = 0
    sys.stdout.write("| mutant | what is done wrong | seed | how it shows |\n|---|---|---|---|\n")
    for name, mutant in MUTANTS.items():
        found = hunt(name, range(most))
        missed += found is None
        how = f"{found.seed} | {found.wrong[0]}" if found else f"none of {most} | **missed**"
        sys.stdout.write(f"| {name} | {mutant.what} | {how} |\n")
        sys.stdout.flush()
    return 1 if missed else 0


def _say(verdict: Verdict, *, always: bool = False) -> None:
    if verdict.wrong or always:
        said = "".join(f"\n    {what}" for what in verdict.wrong) or " is well"
        sys.stdout.write(f"seed {verdict.seed} ({verdict.digest}, {verdict.lasted_s:.0f} s){said}\n")


if __name__ == "__main__":
    sys.exit(main())
