"""What a private RabbitMQ node is told: its environment, rabbitmq.conf and the definitions it loads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet_cli.stack.ports import LOOPBACK, free_ports
from fleet_cli.stack.rabbitmq.installation import Installation

NODE = "fleet@localhost"
USER = "guest"
COOKIE_MODE = 0o400
# Longer than any call may take; the broker would take a delivery back after 30 minutes otherwise.
CONSUMER_TIMEOUT_MS = 7_200_000
ERLANG_ARGUMENTS = "-noinput -kernel inet_dist_use_interface {127,0,0,1} -code_path_choice strict +sbwt none"


@dataclass(frozen=True)
class Ports:
    """The ports of one private node: AMQP, Erlang distribution, its port mapper, and its control commands."""

    amqp: int
    distribution: int
    epmd: int
    control: int

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses now."""
        return cls(*free_ports(4))


def configuration(definitions: Path | None, *, console: bool = False) -> str:
    """The text of rabbitmq.conf; the log goes to a file, or to the console."""
    lines = [
        f"consumer_timeout = {CONSUMER_TIMEOUT_MS}",
        "disk_free_limit.absolute = 50MB",
        f"log.console = {str(console).lower()}",
        "log.console.level = warning" if console else "log.file.level = warning",
    ]
    if definitions is not None:
        lines.append(f"load_definitions = {definitions}")
    return "\n".join([*lines, ""])


def completed(definitions: Mapping[str, Any], user: str, password: str) -> dict[str, Any]:
    """`definitions` with the user and virtual host that a node without them makes by itself."""
    everything = dict.fromkeys(("configure", "write", "read"), ".*")
    defaults: dict[str, list[dict[str, Any]]] = {
        "vhosts": [{"name": "/"}],
        "users": [{"name": user, "password": password, "tags": "administrator"}],
        "permissions": [{"user": user, "vhost": "/", **everything}],
    }
    return {**defaults, **definitions}


def write_files(folder: Path, cookie: str, definitions: Path | None) -> None:
    """Lay out the folder of a node: its configuration, its cookie, no plugins."""
    for name in ("home", "mnesia", "log", "generated"):
        (folder / name).mkdir(parents=True)
    target = None if definitions is None else folder / "definitions.json"
    if target is not None and definitions is not None:
        target.write_text(json.dumps(completed(json.loads(definitions.read_text()), USER, USER)))
    (folder / "rabbitmq.conf").write_text(configuration(target))
    (folder / "rabbitmq-env.conf").write_text("")
    (folder / "enabled_plugins").write_text("[].\n")
    secret = folder / "home" / ".erlang.cookie"
    secret.write_text(cookie)
    secret.chmod(COOKIE_MODE)


def environment(
    installation: Installation, home: Path, folder: Path, ports: Ports, path: str
) -> dict[str, str]:
    """The whole environment of the node and its commands; nothing of the caller's own RabbitMQ leaks in."""
    settings = {
        "HOME": str(folder / "home"),
        "PATH": f"{installation.erlang / 'bin'}:{path}",
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RABBITMQ_SCRIPTS_DIR": str(home / "sbin"),
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(ports.amqp),
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_CTL_DIST_PORT_MIN": str(ports.control),
        "RABBITMQ_CTL_DIST_PORT_MAX": str(ports.control + 10),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
        # Otherwise the script stays as the node's parent, and a signal would reach only the script.
        "RABBITMQ_ALLOW_INPUT": "true",
    }
    if installation.libraries:
        settings["LD_LIBRARY_PATH"] = ":".join(map(str, installation.libraries))
    return settings
