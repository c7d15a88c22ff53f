"""The rights that the client's README grants are enough, and not more than its own tenant's."""

import asyncio
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest

from fleet_client import BrokerUnreachable, Fleet
from fleet_contracts.topology import REPLY_PREFIX
from harness import replies as wire
from harness.broker import SharedBroker
from harness.queues import until_read
from harness.scripted_worker import Asked, scripted_worker
from harness.stages import cancels
from harness.waiting import until

pytestmark = pytest.mark.sockets

ROOT = Path(__file__).parents[3]
TENANT = "acme"
GRANT = re.compile(r"^rabbitmqctl (set_permissions|set_topic_permissions) (.+)$", re.MULTILINE)


async def grant(broker: SharedBroker, url: str) -> str:
    """Make the tenant's user, with the rights that the documents list; returns its URL."""
    vhost = unquote(urlsplit(url).path[1:])
    await broker.ctl("add_user", TENANT, "secret")
    for document in ("contracts/README.md", "services/client/README.md"):
        for command, arguments in GRANT.findall((ROOT / document).read_text()):
            words = [word.strip("'") for word in arguments.split()]
            await broker.ctl(command, "--vhost", vhost, *words)
    where = urlsplit(url)
    return urlunsplit(where._replace(netloc=f"{TENANT}:secret@{where.hostname}:{where.port}"))


async def test_a_tenant_with_the_rights_of_the_readme_can_do_everything_for_itself(
    fleet_vhost: str, broker: SharedBroker
) -> None:
    async def script(asked: Asked) -> None:
        if asked.id != "unwanted":
            await asked.say(wire.result(asked.id, asked.message.user_id or ""))

    url = await grant(broker, fleet_vhost)
    try:
        async with (
            scripted_worker(fleet_vhost, script),
            cancels(fleet_vhost) as heard,
            Fleet(url, tenant=TENANT) as fleet,
        ):
            assert (await fleet.complete("who am I?")).text == TENANT
            assert [each.unwrap().text async for each in fleet.batch(["who am I?"], "mine")] == [TENANT]
            await fleet.submit("hi")
            with pytest.raises(Exception, match="nothing final"):
                await fleet.complete("hi", id="unwanted", timeout_s=2)
            await until(lambda: len(heard) == 1)
            following = asyncio.ensure_future(anext(fleet.results("mine")))
            await until_read(fleet_vhost, f"{REPLY_PREFIX}{TENANT}.results.mine")
            with pytest.raises(BrokerUnreachable):
                await anext(fleet.results("theirs", pattern="result.billing.#"))
            following.cancel()
            await asyncio.wait([following])
    finally:
        await broker.ctl("delete_user", TENANT)
