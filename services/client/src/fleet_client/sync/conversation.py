"""A conversation for code that waits."""
# ruff: noqa: A002 -- `id` is the word that callers use

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from fleet_client.answer import Answer
from fleet_client.conversation import Conversation as AsyncConversation
from fleet_client.events import Event, History
from fleet_client.face import Face
from fleet_client.request import Prompt
from fleet_client.sync.carried import iterated
from fleet_client.sync.home import Home

T = TypeVar("T")


class Conversation:
    """As `fleet_client.Conversation`, for code that waits; `stream` is a plain iterator.

    Plain functions among its tools run in a thread of their own, coroutine functions on the client's.
    """

    def __init__(self, home: Home, id: str, options: dict[str, Any]) -> None:
        self.id = id
        self.version: int | None = None
        self._home = home
        self._options = options

    def send(self, prompt: Prompt, **options: Any) -> Answer:
        """As `fleet_client.Conversation.send`."""
        return self._run(lambda conversation: conversation.send(prompt, **options))

    def stream(self, prompt: Prompt, **options: Any) -> Generator[Event]:
        """As `fleet_client.Conversation.stream`; leaving it early cancels the turn."""
        current: list[AsyncConversation] = []

        def events(client: Face) -> Any:
            current.append(client.conversation(self.id, **self._options))
            return current[0].stream(prompt, **options)

        yield from iterated(self._home.living(), events)
        self.version = current[0].version

    def history(self, **options: Any) -> History:
        """As `fleet_client.Conversation.history`."""
        return self._run(lambda conversation: conversation.history(**options))

    def clear(self, **options: Any) -> History:
        """As `fleet_client.Conversation.clear`."""
        return self._run(lambda conversation: conversation.clear(**options))

    def _run(self, work: Callable[[AsyncConversation], Coroutine[Any, Any, T]]) -> T:
        async def worked(client: Face) -> tuple[T, int | None]:
            conversation = client.conversation(self.id, **self._options)
            return await work(conversation), conversation.version

        told, self.version = self._home.living().run(worked)
        return told
