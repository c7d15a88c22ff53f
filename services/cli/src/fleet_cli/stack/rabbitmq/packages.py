"""Which packages of the distribution make a RabbitMQ, and what they need at another place."""

from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.packages import Bundle

HARD_CODED = "=/usr/lib/erlang"


@dataclass(frozen=True)
class RabbitMQBundle(Bundle):
    """RabbitMQ and its Erlang."""

    title: str = "RabbitMQ"
    package: str = "rabbitmq-server"
    megabytes: int = 50
    # An Erlang of the system's is fetched again: it looks for its parts only in its own folder.
    always: str = "erlang-"

    def settle(self, root: Path, final: Path) -> None:
        """Debian writes Erlang's place into its start scripts; tell them the place where they will be."""
        erlang = root / "usr/lib/erlang"
        for script in (*erlang.glob("bin/erl"), *erlang.glob("erts-*/bin/erl")):
            script.write_text(script.read_text().replace(HARD_CODED, f"={final}/usr/lib/erlang"))


RABBITMQ = RabbitMQBundle()
