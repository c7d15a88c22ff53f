"""What every test may ask for."""

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from hypothesis import settings

from fleet_chassis.topology import apply
from fleet_cli.stack.store.store import Store
from harness.broker import SharedBroker, shared_broker
from harness.rabbitmq import chosen_generation
from harness.store import SharedStore, Stores, a_store, chosen_product, shared_stores, skipping_without

OF_THE_USER = ("AMQP_", "DEEPSEEK_", "REDIS_")

LONGEST = ["pod_life", "chaos_slice", "chaos_trials", "failpoints", "prometheus", "ledger_machine"]
"""Files of tests that take a minute or more, the longest first."""

# How long an example takes says how busy the machine is, and nothing about the code; what chance draws must
# not decide either whether the same code passes. `make properties` draws others.
settings.register_profile("whole", deadline=None, derandomize=True)
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("others", deadline=None, max_examples=3000, print_blob=True)
settings.load_profile("whole")


# What is imported stays: looking through it for garbage, ever again, took almost half the time of collecting.
gc.disable()


# A shell that starts a run in the background has it ignore Ctrl-C, and so would every process under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that nobody is left working alone at the end."""
    items.sort(key=_begins)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on garbage is made, and collected; what was imported is not looked through for it."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _begins(item: pytest.Item) -> int:
    name = item.path.stem.removeprefix("test_")
    if name in LONGEST:
        return LONGEST.index(name) - len(LONGEST)
    return 0 if item.get_closest_marker("sockets") else 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With --no-skips, a run that left something out is no success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = 0 if reporter is None else len(reporter.stats.get("skipped", []))
    if session.config.getoption("--no-skips") and skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def private_environ() -> Mapping[str, str]:
    """This run's environment without the broker, the store and the account that its user may have set."""
    # The edge at which it is read; from here on it is passed as a value.
    everything = dict(os.environ)  # noqa: TID251
    return {name: value for name, value in everything.items() if not name.startswith(OF_THE_USER)}


@pytest.fixture(scope="session")
def broker(private_environ: Mapping[str, str]) -> Iterator[SharedBroker]:
    """One private RabbitMQ for the whole run. A test that stops it starts it again before it ends."""
    with shared_broker(private_environ, chosen_generation(private_environ)) as running:
        yield running


@pytest.fixture
async def vhost(broker: SharedBroker) -> AsyncIterator[str]:
    """The URL of a fresh virtual host on the run's broker, removed after the test."""
    name = f"test-{uuid4().hex}"
    yield await broker.add_vhost(name)
    await broker.delete_vhost(name)


@pytest.fixture
async def fleet_vhost(vhost: str) -> str:
    """As `vhost`, with the fleet's exchanges and queues in it."""
    await apply(vhost)
    return vhost


@pytest.fixture(scope="session")
def stores(private_environ: Mapping[str, str]) -> Iterator[Stores]:
    """The run's stores, not started yet."""
    with shared_stores(private_environ) as running:
        yield running


@pytest.fixture
def product(private_environ: Mapping[str, str]) -> str:
    """The store's product for this run: what FLEET_TEST_STORE says; a test may be marked on_both_products."""
    return chosen_product(private_environ)


@pytest.fixture
def store(stores: Stores, product: str) -> SharedStore:
    """One private Redis or Valkey for the whole run. A test that stops it starts it again before it ends."""
    return stores.of(product)


@pytest.fixture
async def store_url(store: SharedStore) -> str:
    """The URL of an empty database on the run's store."""
    return await store.fresh_database()


@pytest.fixture
async def own_store(private_environ: Mapping[str, str], product: str) -> AsyncIterator[Store]:
    """A store for this test alone, which it may kill, stop and empty; it keeps what it answered for."""
    async with AsyncExitStack() as ends:
        with skipping_without(product):
            running = await ends.enter_async_context(a_store(private_environ, product))
        yield running
