"""What a fleet at rest holds: the memory and descriptors of its eldest worker, the store's keys, channels."""

from pathlib import Path

from chaos.scene import Scene
from chaos.soak.flat import Bound
from fleet_cli.stack.store.asking import ask

KIB_A_MIB = 1024
BYTES_A_MIB = 1024 * 1024
BOUNDS = {
    "memory of the eldest, MiB": Bound(0.1, 8),
    "its descriptors": Bound(0, 8),
    "its threads": Bound(0, 2),
    # It remembers more requests where a breath took no longer; a lost key for each would be threefold.
    "keys in the store": Bound(0.3, 100),
    "memory of the store, MiB": Bound(0.1, 2),
    "clients of the store": Bound(0, 2),
    "channels": Bound(0, 2),
}
"""Each figure that is looked at, and how much it may grow."""


async def look(scene: Scene) -> dict[str, float]:
    """One look, with the names of BOUNDS."""
    eldest = scene.crew.members[0].child.pid
    status = _status(eldest)
    memory = await ask(scene.store.url, "INFO", "memory")
    clients = await ask(scene.store.url, "INFO", "clients")
    channels = await scene.broker.ctl("list_channels", "pid")
    figures = (
        status["VmRSS"] / KIB_A_MIB,
        len(list(Path(f"/proc/{eldest}/fd").iterdir())),  # noqa: ASYNC240 - a look into the kernel
        status["Threads"],
        await ask(scene.store.url, "DBSIZE"),
        int(memory["used_memory"]) / BYTES_A_MIB,
        int(clients["connected_clients"]),
        len(channels.splitlines()),
    )
    return dict(zip(BOUNDS, map(float, figures), strict=True))


def _status(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    words = (line.split() for line in lines)
    return {each[0].rstrip(":"): int(each[1]) for each in words if len(each) > 1 and each[1].isdigit()}
