"""A broker and a store that speak TLS with none but holders of a certificate carry all of a request's way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import StoreUnavailableError, open_store
from fleet_cli.stack.store.store import Store
from fleet_client import BrokerUnreachable, Fleet, Text
from harness.broker import SharedBroker
from harness.house import a_house
from harness.tls import Papers, broker_with_tls, papers_in, store_with_tls

pytestmark = pytest.mark.sockets


@dataclass(frozen=True, slots=True)
class Guarded:
    """Where broker and store let in those who have papers."""

    papers: Papers
    plain: str
    amqp_port: int
    redis_url: str
    redis_port: int

    def broker(self, papers: Papers) -> str:
        return papers.broker(self.plain, self.amqp_port)

    def store(self, papers: Papers) -> str:
        return papers.store(self.redis_url, self.redis_port)


@pytest.fixture
async def guarded(
    fleet_vhost: str, broker: SharedBroker, own_store: Store, tmp_path: Path
) -> AsyncIterator[Guarded]:
    papers = papers_in(tmp_path / "papers")
    async with broker_with_tls(broker, papers) as amqp_port:
        redis_port = await store_with_tls(own_store.url, papers)
        yield Guarded(papers, fleet_vhost, amqp_port, own_store.url, redis_port)


async def test_a_request_goes_all_its_way_by_tls_with_client_certificates(guarded: Guarded):
    url = guarded.broker(guarded.papers)
    async with a_house(url, redis_url=guarded.store(guarded.papers)) as house, Fleet(url) as fleet:
        assert house.worker.readiness.why_not() is None
        answer = await fleet.complete("Name three rivers.", id="by-tls")
        pieces = [event async for event in fleet.stream("And a lake?") if isinstance(event, Text)]
        again = await fleet.complete("Name three rivers.", id="by-tls")
        assert (again.text, bool(pieces)) == (answer.text, True)
        assert len(house.simulator.log.events(kind="admitted")) == 2


async def test_who_has_no_certificate_of_theirs_gets_in_nowhere(guarded: Guarded, tmp_path: Path):
    strangers = papers_in(tmp_path / "strangers")
    known_ca = Papers(guarded.papers.ca, strangers.server, strangers.client)
    for papers in (known_ca, Papers(strangers.ca, guarded.papers.server, guarded.papers.client)):
        with pytest.raises(BrokerUnreachable):
            async with Fleet(guarded.broker(papers), connect_timeout_s=2):
                pass
        with pytest.raises(StoreUnavailableError):
            async with open_store(guarded.store(papers), 2.0, SystemClock()):
                pass


async def test_the_store_speaks_nothing_but_tls(guarded: Guarded):
    plain = urlsplit(guarded.redis_url)
    for port in (plain.port, guarded.redis_port):
        with pytest.raises(StoreUnavailableError):
            async with open_store(f"redis://127.0.0.1:{port}/0", 2.0, SystemClock()):
                pass
