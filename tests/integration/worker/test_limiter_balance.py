"""The account's balance lowers the limit before the provider refuses."""

from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from fleet_simulator import serve
from fleet_simulator.config import DEFAULT_KEY, SimulatorConfig
from fleet_worker.deepseek import Endpoints
from fleet_worker.deepseek.probe import probing
from fleet_worker.limiter.balance import in_dollars
from fleet_worker.limiter.memory_book import MemoryBook
from fleet_worker.limiter.rules import Rules
from harness.limiters import CLOCK, POOL, a_limiter

pytestmark = pytest.mark.sockets


async def limit_after_a_look(balance: str) -> tuple[int, list[str]]:
    rules = Rules(concurrency=100, start=100)
    book = MemoryBook(rules, CLOCK)
    limiter = a_limiter(book, "w1", rules)
    book.bind(limiter.desk)
    limiter.desk.pool(POOL)
    config = SimulatorConfig().at_once()
    account = config.accounts[0]
    account = replace(account, balance=balance, granted="0.00", currency="USD")
    config = replace(config, accounts=(account, *config.accounts[1:]))
    async with (
        serve(config) as running,
        probing(Endpoints(running.base_url, None), DEFAULT_KEY, CLOCK, 5) as probe,
    ):
        with capture_logs() as logs:
            await limiter.balance_watch(probe, 10, structlog.get_logger()).look()
    beaten = await book.beat(POOL, [], [])
    return beaten.limit, [line["event"] for line in logs]


async def test_enough_money_changes_nothing():
    assert await limit_after_a_look("100.00") == (100, [])


async def test_little_money_lowers_the_limit_in_proportion_and_calls_a_person():
    assert await limit_after_a_look("2.00") == (20, ["the balance runs out: top up the account"])


async def test_no_money_leaves_the_fewest_calls_that_were_ever_seen():
    assert (await limit_after_a_look("0.01"))[0] == 5


def test_amounts_are_added_up_in_dollars():
    assert in_dollars(("1.50 USD", "10.00 CNY", "? XXX")) == pytest.approx(3.0)
