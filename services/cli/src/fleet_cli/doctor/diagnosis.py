"""All checks, in the order in which a person would look."""

from collections.abc import Mapping
from pathlib import Path

from aio_pika.abc import AbstractConnection

from fleet_chassis.clock import Clock
from fleet_cli.amqp_url import place_of
from fleet_cli.connecting import BROKEN, BrokerError, connected
from fleet_cli.doctor.asker import Asker
from fleet_cli.doctor.calls import check_calls
from fleet_cli.doctor.check import Check, failed, fine, skipped
from fleet_cli.doctor.here import check_settings, check_versions
from fleet_cli.doctor.queues import check_queues
from fleet_cli.doctor.store import check_store
from fleet_cli.doctor.tenants import tenants_queues
from fleet_cli.doctor.topology import check_topology
from fleet_cli.doctor.upstream import check_upstream
from fleet_cli.stack.stack_env import FILE, addressed, broker_of
from fleet_cli.wrong_input import WrongInputError

BEHIND_THE_BROKER = ("topology", "consumers", "backlog", "dead letters")


async def diagnose(environ: Mapping[str, str], folder: Path, clock: Clock) -> list[Check]:
    """Look at everything that the environment, or else the stack of `folder`, names; each check once.

    What is wrong is what a check finds. Raises WrongInputError only where the stack's file is unreadable.
    """
    variables = addressed(environ, folder)
    return [
        check_settings(folder / FILE),
        *await _check_broker(variables, clock),
        *await check_store(variables, clock),
        *await check_calls(variables, clock),
        *await _check_who_pays(variables, clock),
        check_versions(),
    ]


async def _check_broker(variables: Mapping[str, str], clock: Clock) -> list[Check]:
    began = clock.monotonic()
    try:
        url = broker_of(variables)
        connection = await connected(url, "fleet doctor")
    except (WrongInputError, BrokerError) as error:
        return [failed("broker", str(error)), *_not_asked()]
    of_tenants = await tenants_queues(variables, clock)
    async with connection:
        elapsed_ms = round((clock.monotonic() - began) * 1000)
        reached = _reached(connection, url, elapsed_ms)
        asker = Asker(connection)
        try:
            return [reached, await check_topology(asker), *await check_queues(asker, of_tenants)]
        except BROKEN as error:
            found = f"it broke off while it was asked ({type(error).__name__})"
            return [failed("broker", found, "look into its log, then ask again"), *_not_asked()]


def _reached(connection: AbstractConnection, url: str, elapsed_ms: int) -> Check:
    place = place_of(url)
    tls = "with TLS" if place.tls else "without TLS"
    version = _version_of(connection)
    return fine("broker", f"RabbitMQ {version} at {place} as {place.user}, {tls}, in {elapsed_ms} ms")


def _version_of(connection: AbstractConnection) -> str:
    transport = connection.transport
    said = "" if transport is None else transport.connection.server_properties.get("version", "")
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _not_asked() -> list[Check]:
    return [skipped(name, "the broker could not be asked") for name in BEHIND_THE_BROKER]


async def _check_who_pays(variables: Mapping[str, str], clock: Clock) -> list[Check]:
    if not (variables.get("FLEET_ACCOUNTS_FILE") or variables.get("DEEPSEEK_API_KEY_FILE")):
        return await check_upstream(variables, clock)
    # Late: it takes the worker's own parts, which a fleet with one key in its environment does not need here.
    from fleet_cli.doctor.accounts import check_accounts

    return await check_accounts(variables, clock)
