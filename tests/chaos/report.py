"""What the checker found, in numbers and in lines."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Residue:
    """What was there when all was quiet."""

    charged: int = 0
    """Upstream calls that the upstream charged."""
    left_behind: list[str] = field(default_factory=list[str])
    """What the queues and the store still held."""
    dead_letters: int = 0


@dataclass
class Report:
    """What the checker found. `violations` is empty if every promise was kept."""

    residue: Residue = field(default_factory=Residue)
    requests: int = 0
    results: int = 0
    failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cancelled: int = 0
    """Ended as cancelled, as their caller wanted."""
    lost: list[str] = field(default_factory=list[str])
    duplicated: list[str] = field(default_factory=list[str])
    recovered: int = 0
    unexpected: list[str] = field(default_factory=list[str])
    gaps: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    glued: list[str] = field(default_factory=list[str])
    repeated: int = 0
    degraded: int = 0
    attempts: int = 0
    """What the terminal replies say was begun, over all."""
    restarted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By reason."""
    recovery_s: list[float] = field(default_factory=list[float])
    """From the kill of a worker to the `restarted` that announces the next attempt of what it streamed."""

    @property
    def ended(self) -> int:
        """Requests with a terminal reply."""
        return self.results + sum(self.failures.values()) + self.cancelled

    @property
    def failure_share(self) -> float:
        """Failures among the ends; a cancel is none."""
        return sum(self.failures.values()) / self.ended if self.ended else 0.0

    @property
    def charged_per_end(self) -> float:
        """Upstream calls that were charged for each terminal reply."""
        return self.residue.charged / self.ended if self.ended else 0.0

    @property
    def violations(self) -> list[str]:
        """Each broken promise in one line."""
        broken = {
            "lost": self.lost,
            "answered twice": self.duplicated,
            "unexpected": self.unexpected,
            "undetected gap": self.gaps,
            "wrong text": self.wrong,
            "texts glued": self.glued,
            "left behind": self.residue.left_behind,
            "dead letters that no failure explains": self._unexplained(),
        }
        return [f"{what}: {len(who)}, as {', '.join(who[:3])}" for what, who in broken.items() if who]

    def _unexplained(self) -> list[str]:
        # A burial may be repeated where a worker dies between it and its acknowledgement.
        explained = bool(self.failures.get("crash_loop"))
        return [] if explained or not self.residue.dead_letters else [str(self.residue.dead_letters)]


def lines(report: Report, told: list[str]) -> list[str]:
    """What is printed at the end."""
    broken = {name: told.count(name) for name in dict.fromkeys(told)}
    troubles = ", ".join(f"{name} x{times}" for name, times in broken.items())
    reasons = ", ".join(f"{reason} {times}" for reason, times in sorted(report.restarted.items()))
    failures = f"failures {dict(report.failures) or 0} ({report.failure_share:.2%})"
    ends = f"{report.results} results, {report.cancelled} cancelled, {failures}"
    promises = (
        f"lost {len(report.lost)}, answered twice {len(report.duplicated)}, "
        f"unexpected {len(report.unexpected)}, undetected gaps {len(report.gaps)}, "
        f"wrong {len(report.wrong)}, glued {len(report.glued)}"
    )
    attempts = f"for each end {report.charged_per_end:.3f}; begun, as the ends say, {report.attempts}"
    return [
        f"broken: {troubles or 'nothing'}",
        f"requests {report.requests}: {ends}, recovered {report.recovered}",
        promises,
        f"terminal replies sent again {report.repeated}, degraded {report.degraded}",
        f"charged upstream calls {report.residue.charged}, {attempts}",
        f"restarted: {reasons or 'none'}; announced after a kill in {_times(report.recovery_s)}",
        "left behind: " + (", ".join(report.residue.left_behind) or "nothing"),
        *(f"VIOLATION {violation}" for violation in report.violations),
        "promises were broken" if report.violations else "every promise was kept",
    ]


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "no case"
    ordered = sorted(seconds)
    late = ordered[int(len(ordered) * 0.95)]
    return f"{median(ordered):.2f} s (median), {late:.2f} s (p95), {ordered[-1]:.2f} s (longest)"
