"""How an answer looks while it is written: thinking dimmed, a restart announced, the figures at the end."""

from rich.console import Console
from rich.text import Text as Styled

from fleet_client import Accepted, Answer, Event, Finished, Reasoning, Restarted, Text, ToolCallDelta


class AnswerView:
    """Writes the events of one stream.

    The answer alone goes to `answer`, so that it can be piped on; everything about it goes to `aside`.

    Args:
        answer: where the text of the answer goes.
        aside: where thinking, restarts and figures go.
    """

    def __init__(self, answer: Console, aside: Console) -> None:
        self._answer = answer
        self._aside = aside
        self._thinking = False
        self._line_open = False

    def show(self, event: Event) -> None:
        """Write one event down."""
        match event:
            case Reasoning(text=text):
                self._begin(thinking=True)
                self._write(self._aside, Styled(text, style="dim italic"))
            case Text(text=text):
                self._begin(thinking=False)
                self._write(self._answer, Styled(text))
            case ToolCallDelta(name=str(name)):
                self._note(f"calls {name}")
            case Restarted(attempt=attempt, reason=reason):
                self._note(f"restarted ({reason}): attempt {attempt}, drop what came before", "bold yellow")
            case Finished(answer=answer):
                self._note(figures(answer))
            case Accepted(worker=worker, attempt=attempt):
                self._note(f"accepted by {worker}, attempt {attempt}")
            case _:
                pass

    def close(self) -> None:
        """End an unfinished line."""
        if self._line_open:
            self._answer.print()
            self._line_open = False

    def _begin(self, *, thinking: bool) -> None:
        if self._thinking and not thinking:
            self._aside.print("\n")
        self._thinking = thinking

    def _write(self, console: Console, text: Styled) -> None:
        console.print(text, end="", soft_wrap=True)
        self._line_open = True

    def _note(self, line: str, style: str = "cyan") -> None:
        self.close()
        self._thinking = False
        self._aside.print(Styled(f"— {line}", style=style))


def figures(answer: Answer) -> str:
    """Usage, cost and time of an answer in one line."""
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
    return ", ".join(parts)
