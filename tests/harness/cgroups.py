"""What a container's cgroup counted, of either version."""

from dataclasses import dataclass

_FILES = (
    "memory.peak memory.events cpu.stat"
    " memory/memory.max_usage_in_bytes memory/memory.oom_control cpu/cpu.stat cpuacct/cpuacct.usage"
)
READ = f"cd /sys/fs/cgroup; for f in {_FILES}; do [ -f $f ] && echo [$f] && cat $f; done; true"
"""For a shell inside the container: the files that are there, each under its name."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Figures since the container's start."""

    most_bytes: int
    """The most memory at once, the page cache included."""
    oom_kills: int
    cpu_s: float
    throttled: int
    """Periods in which it was held at its quota."""


def spent_in(text: str) -> Spent:
    """The figures in what READ printed."""
    files = dict(part.split("]\n", 1) for part in text.split("[")[1:])
    words = {
        name: dict(line.split() for line in lines.splitlines() if " " in line)
        for name, lines in files.items()
    }
    if "memory.peak" in files:
        cpu = words["cpu.stat"]
        return Spent(
            most_bytes=int(files["memory.peak"]),
            oom_kills=int(words["memory.events"]["oom_kill"]),
            cpu_s=int(cpu["usage_usec"]) / 1e6,
            throttled=int(cpu.get("nr_throttled", 0)),
        )
    return Spent(
        most_bytes=int(files["memory/memory.max_usage_in_bytes"]),
        oom_kills=int(words["memory/memory.oom_control"]["oom_kill"]),
        cpu_s=int(files["cpuacct/cpuacct.usage"]) / 1e9,
        throttled=int(words["cpu/cpu.stat"].get("nr_throttled", 0)),
    )
