"""Asks one question and shows the answer, on a terminal or through a pipe."""

import sys
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
from rich.console import Console

from fleet_cli.answer_view import AnswerView, remark
from fleet_cli.connecting import connected
from fleet_cli.console import say
from fleet_cli.wrong_input import WrongInputError
from fleet_client import Answer, BrokerUnreachable, Fleet, FleetError
from fleet_contracts.grammar import Lane, is_tenant

CONNECT_TIMEOUT_S = 4.0
DIAGNOSIS_S = 4.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of which model, by whom, and for how many seconds the answer is wanted."""

    messages: list[dict[str, Any]]
    tenant: str
    timeout_s: float
    lane: Lane
    options: dict[str, Any]


def prompt_of(argument: str) -> str:
    """The prompt, or what standard input holds where it is a single hyphen.

    Raises:
        WrongInputError: there is nothing to ask, or it is no text.
    """
    try:
        prompt = sys.stdin.read() if argument == "-" else argument
        prompt.encode()
    except UnicodeError as error:
        raise WrongInputError("the question is no UTF-8 text: convert it first, as with iconv") from error
    if not prompt.strip():
        raise WrongInputError(
            "there is nothing to ask: write the question as in `fleet ask 'Why is it blue?'`"
        )
    return prompt


def messages_of(prompt: str, system: str) -> list[dict[str, Any]]:
    """The prompt as DeepSeek's messages, behind the system message where there is one."""
    asked = {"role": "user", "content": prompt}
    return [{"role": "system", "content": system}, asked] if system else [asked]


def checked_tenant(tenant: str) -> str:
    """`tenant`; raises WrongInputError where it can't be one."""
    if not is_tenant(tenant):
        raise WrongInputError(f"{tenant!r} is no tenant: use 1 to 64 letters, digits, '_' and '-'")
    return tenant


async def ask_and_show(url: str, question: Question, *, as_json: bool) -> None:
    """Print the answer while it is written, or whole as JSON (a failure too).

    Raises:
        BrokerError: there is no connection to the broker; the text says what to do.
        FleetError: there is no answer; the text says what to do.
    """
    try:
        async with Fleet(
            url,
            tenant=question.tenant,
            timeout_s=question.timeout_s,
            connect_timeout_s=min(CONNECT_TIMEOUT_S, question.timeout_s),
        ) as fleet:
            await (_print_whole if as_json else _show)(fleet, question)
    except BrokerUnreachable:
        # The broker itself says more precisely what is wrong than a client that keeps trying.
        await (await connected(url, "fleet ask", DIAGNOSIS_S)).close()
        raise
    except FleetError as failure:
        if as_json:
            _print(_failure(failure))
        elif failure.upstream is not None:
            said = remark(f"DeepSeek said: {failure.upstream.message}")
            Console(stderr=True, highlight=False).print(said, soft_wrap=True)
        raise


async def _show(fleet: Fleet, question: Question) -> None:
    answer, aside = Console(highlight=False), Console(stderr=True, highlight=False)
    view = AnswerView(answer, aside, live=answer.is_terminal)
    try:
        async with aclosing(
            fleet.stream(question.messages, lane=question.lane, **question.options)
        ) as events:
            async for event in events:
                view.show(event)
    finally:
        view.close()


async def _print_whole(fleet: Fleet, question: Question) -> None:
    answer = await fleet.complete(question.messages, lane=question.lane, **question.options)
    _print(_answer(answer))


def _print(shown: dict[str, Any]) -> None:
    say(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def _answer(answer: Answer) -> dict[str, Any]:
    return {
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


def _failure(failure: FleetError) -> dict[str, Any]:
    return {
        "id": failure.correlation_id,
        "code": failure.code,
        "message": failure.message,
        "retryable": failure.retryable,
        "attempts": failure.attempts,
        "upstream": failure.upstream and failure.upstream.model_dump(exclude_none=True),
        "partial": failure.partial and failure.partial.model_dump(exclude_none=True),
    }
