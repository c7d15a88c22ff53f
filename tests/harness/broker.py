"""One real RabbitMQ for a whole test run, usable from every test's event loop."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from anyio.from_thread import BlockingPortal, start_blocking_portal

from fleet_cli.stack.errors import StackError
from fleet_cli.stack.rabbitmq.broker import Broker
from harness.rabbitmq import a_broker

T = TypeVar("T")

PATIENCE_S = 20.0
NOT_LET_IN = "failed to connect to node"
"""What erl_call says of a node that does not answer its handshake in time."""
_STARTED = "length([sys:get_state(P) || {_, P, _, _} <- supervisor:which_children(rabbit_fifo_dlx_sup)])"
_WANTED = (
    'length([Q || Q <- rabbit_amqqueue:list(), lists:keymember(<<"x-dead-letter-strategy">>, 1,'
    " amqqueue:get_arguments(Q))])"
)
_OF_VHOST = '(catch rabbit_channel:info(P, [vhost])) =:= [{vhost, <<"%s">>}]'
_SUSPEND = f"[sys:suspend(P) || P <- rabbit_channel:list(), {_OF_VHOST}]."
_RESUME = "[catch sys:resume(P, 2000) || P <- rabbit_channel:list()]."
_SOME_DEAD_LETTERING_STARTS = f"{_STARTED} < {_WANTED}."


def signed_in(url: str, user: str, password: str) -> str:
    """`url` with other credentials: each way to get a broker has its own."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


class SharedBroker:
    """A broker that lives on a loop of its own; each call is carried there and awaited here."""

    def __init__(self, broker: Broker, portal: BlockingPortal) -> None:
        self.url = broker.url
        self.version = broker.version
        self.management = broker.management
        self.user = urlsplit(broker.url).username or ""
        self._broker = broker
        self._portal = portal

    async def ctl(self, *arguments: str) -> str:
        return await self._there(lambda: self._broker.ctl(*arguments))

    async def evaluate(self, expression: str) -> str:
        return await self._once_let_in(lambda: self._broker.evaluate(expression))

    async def add_vhost(self, name: str) -> str:
        return await self._once_let_in(lambda: self._broker.add_vhost(name))

    async def delete_vhost(self, name: str) -> None:
        await self._until_dead_lettering_runs()
        await self._once_let_in(lambda: self._broker.delete_vhost(name))

    async def stop_app(self) -> None:
        await self._there(self._broker.stop_app)

    async def start_app(self) -> None:
        await self._there(self._broker.start_app)

    async def settle(self) -> None:
        await self._there(self._broker.settle)

    async def kill(self) -> None:
        await self._there(self._broker.kill)

    async def restart(self) -> None:
        await self._there(self._broker.restart)

    @asynccontextmanager
    async def deaf_channels(self, url: str) -> AsyncGenerator[None]:
        """What stands of channels in a vhost takes nothing and says nothing, for the length of a block.

        Their connections beat on, so no heartbeat tells of it.
        """
        await self.evaluate(_SUSPEND % unquote(urlsplit(url).path[1:]))
        try:
            yield
        finally:
            await self.evaluate(_RESUME)

    async def _until_dead_lettering_runs(self) -> None:
        """Wait until queues may be deleted.

        RabbitMQ 3.10 starts a process for each queue that dead-letters at least once. Deleting several such
        queues while these start (which they also do after a restart) ends their supervisor for good, and
        with it every later declaration of such a queue.
        """
        async with asyncio.timeout(PATIENCE_S):
            while await self._may_be_starting():  # noqa: ASYNC110 - a broker can only be asked
                await asyncio.sleep(0.05)

    async def _may_be_starting(self) -> bool:
        try:
            return await self.evaluate(_SOME_DEAD_LETTERING_STARTS) == "true"
        except StackError:
            return True  # a broker that has much to do does not always let in who wants to ask

    async def _once_let_in(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask again while the node, with much else to do, lets nobody in: until then it has done nothing."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await self._there(call)
                except StackError as error:
                    if NOT_LET_IN not in str(error):
                        raise
                await asyncio.sleep(0.2)

    async def _there(self, call: Callable[[], Awaitable[T]]) -> T:
        return await asyncio.wrap_future(self._portal.start_task_soon(call))


@contextmanager
def shared_broker(environ: Mapping[str, str], generation: str = "") -> Generator[SharedBroker]:
    """A broker on a thread of its own; without AMQP_URL in `environ`, tests touch no other broker."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(a_broker(environ, generation)) as broker,
    ):
        yield SharedBroker(broker, portal)
