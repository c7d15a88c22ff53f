"""`make chaos`: breaks a fleet under load, says what became of every request, fails if a promise broke."""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from chaos.checker import Report
from chaos.run import Plan, run


def main() -> int:
    """0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument("--requests", type=int, default=Plan.requests)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests a second")
    parser.add_argument("--kill-every", type=float, default=Plan.kill_every_s, help="seconds")
    parser.add_argument("--broker-restarts", type=int, default=Plan.broker_restarts)
    parser.add_argument("--store-restarts", type=int, default=Plan.store_restarts)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    given = parser.parse_args()
    plan = Plan(
        given.requests,
        given.rate,
        given.kill_every,
        given.broker_restarts,
        given.store_restarts,
        given.seed,
    )
    for talkative in ("aio_pika", "aiormq", "asyncio"):  # they tell of every lost connection
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="deepseek-fleet-chaos-"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEEPSEEK_")}  # noqa: TID251 - the edge
    report, told = asyncio.run(run(plan, environ, folder, print))
    sys.stdout.write("\n".join(lines(report, told)) + "\n")
    return 1 if report.violations else 0


def lines(report: Report, told: list[str]) -> list[str]:
    """What is printed at the end."""
    recovery = sorted(report.recovery_s) or [0.0]
    broken = {name: told.count(name) for name in dict.fromkeys(told)}
    ends = f"{report.results} results, failures {dict(report.failures) or 0} ({report.failure_share:.2%})"
    broken_promises = (
        f"lost {len(report.lost)}, answered twice {len(report.duplicated)}, "
        f"unexpected {len(report.unexpected)}, undetected gaps {len(report.gaps)}, "
        f"wrong {len(report.wrong)}, glued {len(report.glued)}"
    )
    announced = f"after a median of {median(recovery):.2f} s, at most {recovery[-1]:.2f} s"
    return [
        "broken: " + ", ".join(f"{name} x{times}" for name, times in broken.items()),
        f"requests {report.requests}: {ends}, recovered {report.recovered}",
        broken_promises,
        f"terminal replies sent again {report.repeated}, degraded {report.degraded}",
        f"charged upstream calls {report.charged}, for each end {report.charged_per_end:.3f}",
        f"restarted {report.restarted}, announced {announced}",
        "left behind: " + (", ".join(report.left_behind) or "nothing"),
        *(f"VIOLATION {violation}" for violation in report.violations),
        "promises were broken" if report.violations else "every promise was kept",
    ]


if __name__ == "__main__":
    sys.exit(main())
