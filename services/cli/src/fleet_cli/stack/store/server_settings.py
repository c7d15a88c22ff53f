"""What a private store is told: the text of its configuration file."""

from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.ports import LOOPBACK


@dataclass(frozen=True)
class ServerSettings:
    """Where a store of ours serves, whom, and whether it keeps what it holds."""

    port: int
    password: str
    appendonly: bool
    """Every write is in a file before its answer is sent, so that a kill loses nothing."""

    @property
    def url(self) -> str:
        """The address of a store with these settings on this machine."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"


def configuration(settings: ServerSettings, *, folder: Path, bind: str = LOOPBACK) -> str:
    """The text of redis.conf or valkey.conf. A store that is full refuses writes rather than forget some."""
    return f"""\
bind {bind}
port {settings.port}
dir {folder}
requirepass {settings.password}
save ""
appendonly {"yes" if settings.appendonly else "no"}
appendfsync everysec
maxmemory-policy noeviction
daemonize no
"""
