"""The store of a run, whichever way it was had."""

from typing import Protocol

from fleet_cli.stack.store.asking import ask


class Control(Protocol):
    """Power over a store's life and content."""

    async def start(self, *, empty: bool) -> None:
        """Start the store again at its old address, with what it kept or with nothing."""
        ...

    async def stop(self) -> None:
        """End the store cleanly."""
        ...

    async def kill(self) -> None:
        """End the store at once."""
        ...

    async def pause(self) -> None:
        """Let the store stand still."""
        ...

    async def resume(self) -> None:
        """Let the store go on."""
        ...

    def may_be_emptied(self) -> None:
        """Raises StackError where the content is not ours to remove."""
        ...


class Store:
    """A running Redis or Valkey: its URL, its product and version, and power over it where it is ours."""

    def __init__(self, url: str, label: str, control: Control) -> None:
        self.url = url
        self.label = label
        """Product and version, as in `Valkey 8.1.1`."""
        self._control = control

    @property
    def version(self) -> str:
        """The product's own version, as in `8.1.1`."""
        return self.label.rpartition(" ")[2]

    async def kill(self) -> None:
        """End the store at once (SIGKILL). What it had written to disk stays for restart."""
        await self._control.kill()

    async def restart(self, *, empty: bool = False) -> None:
        """Start the store again at the same URL, after a clean stop if it still runs.

        It comes back with what it kept on disk, which is nothing without `appendonly`, or `empty`.
        """
        await self._control.stop()
        await self._control.start(empty=empty)

    async def pause(self) -> None:
        """Let the store stand still (SIGSTOP): connections stay open and nothing answers."""
        await self._control.pause()

    async def resume(self) -> None:
        """Let a store that stands still go on."""
        await self._control.resume()

    async def flush(self) -> None:
        """Remove everything from every database."""
        self._control.may_be_emptied()
        await ask(self.url, "FLUSHALL")
