"""The demonstration: a request streams in, then one whose worker is killed in mid-stream."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rich.console import Console
from rich.panel import Panel

from fleet_cli.answer_view import AnswerView
from fleet_cli.stack.faults import inject
from fleet_cli.stack.local import LocalStack
from fleet_client import Event, Fleet, Text

Watch = Callable[[AnswerView, Event], Awaitable[None]]

FIRST = "How does a lighthouse keep ships safe?"
SECOND = "Why do leaves change colour in autumn?"
ENOUGH_CHARACTERS = 120
# Its first call stands still behind the text that is waited for: however late the kill, it is in the middle.
HELD = {"kind": "stall", "match": {"prompt": SECOND}, "times": 1, "after_chunks": 160}
TIMEOUT_S = 60.0

NEXT_STEPS = """\
make up                      the same stack, until Ctrl-C
.venv/bin/fleet ask "Hello"  ask it, from a second terminal
contracts/README.md          publish from your own backend
DEEPSEEK_API_KEY=… make up   the same with the real DeepSeek
make test                    every test, on this machine"""


@dataclass(frozen=True, slots=True)
class Demo:
    """Shows a running stack at work."""

    stack: LocalStack
    console: Console

    async def run(self) -> None:
        """Two requests: one plain, one whose worker dies."""
        await inject(self.stack.addresses.deepseek_base_url, HELD)
        async with Fleet(self.stack.addresses.amqp_url, tenant="demo", timeout_s=TIMEOUT_S) as fleet:
            self._title("A request goes in as the JSON you would POST to DeepSeek, and streams back")
            await self._ask(fleet, FIRST, _look_on)
            self._title("The same, but the worker is killed (kill -9) in the middle of its answer")
            await self._ask(fleet, SECOND, self._kill_after_some_text())
        self.console.print(Panel(NEXT_STEPS, title="What to do next", title_align="left", expand=False))

    async def _ask(self, fleet: Fleet, question: str, watch: Watch) -> None:
        self.console.print(f"[bold green]?[/] {question}")
        view = AnswerView(self.console, self.console)
        async for event in fleet.stream(question):
            view.show(event)
            await watch(view, event)
        view.close()

    def _kill_after_some_text(self) -> Watch:
        seen = 0

        async def watch(view: AnswerView, event: Event) -> None:
            nonlocal seen
            if not isinstance(event, Text) or seen > ENOUGH_CHARACTERS:
                return
            seen += len(event.text)
            if seen > ENOUGH_CHARACTERS:
                view.close()
                await self._replace_worker()

        return watch

    async def _replace_worker(self) -> None:
        victim = self.stack.workers[-1]
        self.console.print(f"[bold red]✗ kill -9 {victim.pid}[/] ({victim.name}); a new worker starts")
        await victim.kill()
        await self.stack.start_worker()

    def _title(self, line: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{line}", align="left")


async def _look_on(_view: AnswerView, _event: Event) -> None:
    """Nothing happens to this one."""
