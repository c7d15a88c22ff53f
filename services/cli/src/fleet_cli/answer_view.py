"""How an answer looks while it is written: thinking dimmed, a restart announced, the figures at the end."""

from rich.console import Console
from rich.text import Text as Styled

from fleet_cli.dlq.view import printable
from fleet_client import Accepted, Answer, Event, Finished, Reasoning, Restarted, Text, ToolCallDelta


class AnswerView:
    """Writes the events of one stream.

    The answer alone goes to `answer`, so that it can be piped on; everything about it goes to `aside`.

    Args:
        answer: where the text of the answer goes.
        aside: where thinking, restarts and figures go.
        live: whether the answer is written as it comes, or whole at its end: what reads from a pipe can't
            drop the text of an attempt that broke.
    """

    def __init__(self, answer: Console, aside: Console, *, live: bool = True) -> None:
        self._answer = answer
        self._aside = aside
        self._live = live
        self._open: Console | None = None
        self._thinking = False

    def show(self, event: Event) -> None:
        """Write one event down."""
        match event:
            case Reasoning(text=text):
                self._write(self._aside, Styled(text, style="dim italic"), thinking=True)
            case Text(text=text) if self._live:
                self._write(self._answer, Styled(text), thinking=False)
            case ToolCallDelta(name=str(name)):
                self._note(f"calls {name}")
            case Restarted(attempt=attempt, reason=reason):
                self._note(f"restarted ({reason}): attempt {attempt}, drop what came before", "bold yellow")
            case Finished(answer=answer):
                if not self._live:
                    self._write(self._answer, Styled(answer.text), thinking=False)
                self._note(figures(answer))
            case Accepted(worker=worker, attempt=attempt):
                self._note(f"accepted by {worker}, attempt {attempt}")
            case _:
                pass

    def close(self) -> None:
        """End an unfinished line."""
        if self._open is not None:
            self._open.print()
            self._open, self._thinking = None, False

    def _write(self, console: Console, text: Styled, *, thinking: bool) -> None:
        if self._open is not None and self._thinking is not thinking:
            self.close()
            self._aside.print()
        console.print(text, end="", soft_wrap=True)
        self._open, self._thinking = console, thinking

    def _note(self, line: str, style: str = "cyan") -> None:
        self.close()
        self._aside.print(remark(line, style), soft_wrap=True)


def remark(line: str, style: str = "cyan") -> Styled:
    """A line about an answer, told apart from the answer itself; nothing in it commands the terminal."""
    return Styled(f"— {printable(line)}", style=style)


def figures(answer: Answer) -> str:
    """Usage, cost and time of an answer, and the ID for `fleet show`, in one line."""
    parts: list[str] = []
    if answer.usage is not None:
        parts.append(f"{answer.usage.prompt_tokens} + {answer.usage.completion_tokens} tokens")
    if answer.cost is not None:
        parts.append(f"{answer.cost.amount} {answer.cost.currency}")
    if answer.timings.first_content_ms is not None:
        parts.append(f"first text after {answer.timings.first_content_ms} ms")
    parts.append(f"{answer.timings.total_ms / 1000:.1f} s in all")
    if answer.finish_reason == "length":
        parts.append("cut by max_tokens")
    parts.append(f"request {answer.id}")
    return ", ".join(parts)
