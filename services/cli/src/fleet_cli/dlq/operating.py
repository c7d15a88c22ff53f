"""What an operator does with dead letters: look, ask again, drop."""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from fleet_chassis.clock import Clock
from fleet_cli.amqp_url import place_of
from fleet_cli.connecting import BrokerError
from fleet_cli.console import complain, say
from fleet_cli.dlq.asking_again import why_not
from fleet_cli.dlq.choosing import Choice
from fleet_cli.dlq.letter import Letter
from fleet_cli.dlq.queue import DeadLetters, Held, dead_letters
from fleet_cli.dlq.view import named, page, table, text_of
from fleet_cli.wrong_input import WrongInputError


async def list_letters(url: str, choice: Choice, clock: Clock, *, limit: int, as_json: bool) -> None:
    """Show what is chosen, the oldest first, at most `limit` of them."""
    async with dead_letters(url) as queue, aclosing(_chosen(queue, choice, clock)) as found:
        letters = await _first(found, limit + 1)
    _show_list(letters[:limit], choice, as_json=as_json)
    if len(letters) > limit:
        complain(f"more than {limit} dead letters: --limit shows more of them, an option that narrows others")


async def show_letter(url: str, wanted: str, clock: Clock, *, body: bool, as_json: bool) -> None:
    """Show the one that `wanted` names; raises WrongInputError where it names none or several."""
    found: list[Held] = []
    choice = Choice(ids=(wanted,))
    async with dead_letters(url) as queue, aclosing(_chosen(queue, choice, clock)) as all_of_it:
        async for held in all_of_it:
            found.append(held)
            if len(found) > 1:
                raise WrongInputError(
                    f"{wanted} names several dead letters: give more of the id, see `fleet dlq list`"
                )
    _must_be_there(choice, [held.letter for held in found])
    (held,) = found
    if as_json:
        _say_json({**held.letter.fields(), **(_body_fields(held.message.body) if body else {})})
        return
    for line in page(held.letter):
        say(line)
    if body:
        say(f"\n{text_of(held.message.body)}")


async def redrive_letters(url: str, choice: Choice, clock: Clock, *, strict: bool) -> None:
    """Ask what is chosen again, one after the other, each forgotten once its request is confirmed.

    Raises:
        WrongInputError: an id names no dead letter; those that the others name were asked again.
        BrokerError: the broker went away; the text says how many were asked again.
    """
    user_id = place_of(url).user if strict else None
    asked, left = 0, 0
    seen: list[Letter] = []
    try:
        async with dead_letters(url) as queue, aclosing(_chosen(queue, choice, clock)) as found:
            async for held in found:
                seen.append(held.letter)
                if (reason := why_not(held.letter)) is not None:
                    complain(f"{named(held.letter)} {reason}")
                    left += 1
                    continue
                await queue.redrive(held, user_id)
                say(f"asked again: {named(held.letter)} with fleet-retry {held.letter.retry + 1}")
                asked += 1
    except BrokerError as error:
        raise BrokerError(f"{error} ({asked} were asked again; the others are where they were)") from error
    say(f"{asked} asked again" + (f", {left} left" if left else ""))
    _must_be_there(choice, seen)


async def chosen_ids(url: str, choice: Choice, clock: Clock) -> frozenset[str]:
    """The ids of what is chosen now; raises WrongInputError where an id names no dead letter."""
    async with dead_letters(url) as queue, aclosing(_chosen(queue, choice, clock)) as found:
        letters = [held.letter async for held in found]
    _must_be_there(choice, letters)
    return frozenset(letter.id for letter in letters)


def _must_be_there(choice: Choice, letters: Sequence[Letter]) -> None:
    if unnamed := choice.unnamed(letters):
        raise WrongInputError(f"{', '.join(unnamed)} names no dead letter: see `fleet dlq list`")


async def drop_letters(url: str, ids: frozenset[str]) -> None:
    """Drop these for good, and no others that have come since they were chosen."""
    dropped = 0
    async with dead_letters(url) as queue, aclosing(queue.held(at_least=len(ids))) as found:
        async for held in found:
            if held.letter.id in ids:
                await held.forget()
                dropped += 1
            if dropped == len(ids):
                break
    say(f"{dropped} dropped")


async def _chosen(queue: DeadLetters, choice: Choice, clock: Clock) -> AsyncGenerator[Held]:
    async with aclosing(queue.held()) as all_of_it:
        async for held in all_of_it:
            if choice.takes(held.letter, clock.now_ms()):
                yield held


async def _first(found: AsyncGenerator[Held], count: int) -> list[Letter]:
    letters: list[Letter] = []
    async for held in found:
        letters.append(held.letter)
        if len(letters) == count:
            break
    return letters


def _show_list(letters: Sequence[Letter], choice: Choice, *, as_json: bool) -> None:
    if as_json:
        _say_json([letter.fields() for letter in letters])
    elif letters:
        for line in table(letters):
            say(line)
    else:
        say("no such dead letters" if choice.narrows else "no dead letters")


def _body_fields(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _say_json(document: dict[str, Any] | Sequence[dict[str, Any]]) -> None:
    say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
