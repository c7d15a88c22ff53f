"""Asks one question and shows the answer, on a terminal or through a pipe."""

import sys
from dataclasses import dataclass

import orjson
from rich.console import Console

from fleet_cli.answer_view import AnswerView
from fleet_client import Answer, Fleet


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of which model, by whom, and for how many seconds the answer is wanted."""

    prompt: str
    model: str
    thinking: bool | None
    tenant: str
    timeout_s: float

    def text(self) -> str:
        """The prompt, or what standard input holds where it is a single hyphen."""
        return sys.stdin.read() if self.prompt == "-" else self.prompt


async def ask_and_show(url: str, question: Question, *, as_json: bool) -> None:
    """Print the answer while it is written, or whole as JSON.

    Raises:
        FleetError: there is no answer; the text says what to do.
    """
    async with Fleet(url, tenant=question.tenant, timeout_s=question.timeout_s) as fleet:
        if as_json:
            answer = await fleet.complete(question.text(), model=question.model, thinking=question.thinking)
            _print_json(answer)
        else:
            await _show(fleet, question)


async def _show(fleet: Fleet, question: Question) -> None:
    view = AnswerView(Console(highlight=False), Console(stderr=True, highlight=False))
    events = fleet.stream(question.text(), model=question.model, thinking=question.thinking)
    try:
        async for event in events:
            view.show(event)
    finally:
        view.close()


def _print_json(answer: Answer) -> None:
    shown = {
        "id": answer.id,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage and answer.usage.model_dump(exclude_none=True),
        "cost": answer.cost and answer.cost.model_dump(),
        "timings": answer.timings.model_dump(),
        "attempts": answer.attempts,
        "degraded": answer.degraded,
    }
    sys.stdout.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
