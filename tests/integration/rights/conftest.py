"""Virtual hosts with the fleet's users in them. One at a time: a broker knows its users by name."""

from collections.abc import Generator
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal

from harness.broker import SharedBroker
from harness.strict import StrictVhost, a_strict_vhost


@pytest.fixture(scope="module")
def place(broker: SharedBroker, tmp_path_factory: pytest.TempPathFactory) -> Generator[StrictVhost]:
    """One for all tests of a file."""
    passwords = tmp_path_factory.mktemp("strict") / "passwords"
    opened = a_strict_vhost(broker, f"test-{uuid4().hex}", passwords)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened) as vhost:
        yield vhost
