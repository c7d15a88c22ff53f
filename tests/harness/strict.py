"""A virtual host with the fleet's users in it, and no more rights than they need."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from fleet_chassis.topology import apply
from fleet_cli.rights.applying import apply_users
from fleet_cli.rights.management import VARIABLE, management
from fleet_cli.rights.passwords import Passwords
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.ports import LOOPBACK, free_ports
from fleet_cli.stack.rabbitmq.container import MANAGEMENT_PORT
from fleet_contracts.rights import users
from fleet_simulator.config import SimulatorConfig
from fleet_simulator.server import Running, serve
from fleet_worker.bootstrap import Worker, start_worker
from harness.broker import SharedBroker, signed_in
from harness.house import worker_settings
from harness.queues import Told, until_told_so

ACME, BILLING = "acme", "billing"
ADMIN, WORKER, OPERATOR, AUTOSCALER = "fleet-admin", "fleet-worker", "fleet-operator", "fleet-autoscaler"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container, which publishes it on loopback alone
_STARTED = """
case lists:keymember(rabbitmq_management, 1, application:which_applications()) of
  true ->
    {ok, Told} = application:get_env(rabbitmq_management, tcp_config),
    proplists:get_value(port, Told);
  false ->
    Linked = code:lib_dir(rabbit),
    Home = case file:read_link_all(Linked) of {ok, Real} -> Real; _ -> Linked end,
    ok = application:set_env(rabbit, plugins_dir, filename:dirname(Home)),
    Where = [{port, %d}, {ip, "%s"}],
    ok = application:set_env(rabbitmq_management, tcp_config, Where),
    {ok, File} = application:get_env(rabbit, enabled_plugins_file),
    ok = file:write_file(File, "[rabbitmq_management].\\n"),
    {ok, _, _} = rabbit_plugins:ensure(File),
    ok = file:write_file(File, "[].\\n"),
    %d
end.
"""
"""As `rabbitmq-plugins enable`, but not for the next boot: the stack's nodes start without plugins."""


async def management_url(broker: SharedBroker) -> str:
    """The management API of the run's broker, started if it does not run yet; skips where it can't be."""
    if broker.management is None:
        (port,) = free_ports(1)
        place = (port, LOOPBACK, port)
    else:
        place = (MANAGEMENT_PORT, EVERYWHERE, MANAGEMENT_PORT)
    try:
        taken = int(await broker.evaluate(" ".join((_STARTED % place).split())))
    except (StackError, ValueError) as error:
        pytest.skip(f"this run's broker can't start its management plugin: {error}")
    here = broker.management or taken
    return f"http://{broker.user}:{urlsplit(broker.url).password}@{LOOPBACK}:{here}"


@dataclass(frozen=True, slots=True)
class StrictVhost:
    """A virtual host where everybody has a user of their own."""

    url: str
    """As somebody who may do everything."""
    management: str
    passwords: Path

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.url).path[1:])

    def as_user(self, user: str) -> str:
        """The URL of one of the fleet's users or of a tenant."""
        return signed_in(self.url, user, (self.passwords / user).read_text().strip())

    def management_as(self, user: str) -> str:
        return signed_in(self.management, user, (self.passwords / user).read_text().strip())


@asynccontextmanager
async def a_strict_vhost(broker: SharedBroker, name: str, passwords: Path) -> AsyncGenerator[StrictVhost]:
    """The topology and the users of the fleet and of two tenants; the users are removed again."""
    url, api = await broker.add_vhost(name), await management_url(broker)
    strict = StrictVhost(url, api, passwords)
    everybody = users([ACME, BILLING])
    try:
        await apply(url)
        async with management({VARIABLE: api}, url) as there:
            await apply_users(there, name, everybody, Passwords({}, passwords))
        yield strict
    finally:
        gone = ", ".join(f'<<"{user.name}">>' for user in everybody)
        deleted = f'rabbit_auth_backend_internal:delete_user(Each, <<"{broker.user}">>)'
        await broker.evaluate(f"[catch {deleted} || Each <- [{gone}]].")
        await broker.delete_vhost(name)


@asynccontextmanager
async def a_strict_worker(
    vhost: StrictVhost, simulator: SimulatorConfig | None = None, **settings: Any
) -> AsyncGenerator[tuple[Worker, Running]]:
    """A worker as its own user, which believes the broker alone about who asks."""
    told = {"strict_tenants": True, "trusted_users": OPERATOR, **settings}
    async with (
        serve(simulator or SimulatorConfig().at_once()) as running,
        start_worker(worker_settings(vhost.as_user(WORKER), running.base_url, **told)) as worker,
    ):
        yield worker, running


async def until_in(place: StrictVhost, queue: str, *, consumers: int = 0) -> None:
    """Wait for a message in the queue, or for so many consumers of it."""

    def so(told: Told | None) -> bool:
        return told is not None and (told.readers == consumers if consumers else told.waiting > 0)

    await until_told_so(place.url, queue, so)
