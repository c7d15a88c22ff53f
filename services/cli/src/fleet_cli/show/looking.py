"""Looks a request up: in the ledger, then among the dead letters. Changes nothing."""

from collections.abc import Mapping
from contextlib import aclosing

import orjson

from fleet_chassis.clock import Clock
from fleet_chassis.store import open_store
from fleet_cli.connecting import BrokerError
from fleet_cli.console import say
from fleet_cli.dlq.choosing import Choice
from fleet_cli.dlq.letter import Letter
from fleet_cli.dlq.queue import dead_letters
from fleet_cli.limits.opening import ANSWER_DEADLINE_S
from fleet_cli.show.life import UNKNOWN, Life
from fleet_cli.stack.store.place import place_of
from fleet_cli.wrong_input import WrongInputError
from fleet_worker.ledger.record import Record
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from fleet_worker.request import RequestKey

MOST_LETTERS = 1000
"""Dead letters that are looked through; more would take long, and the record tells the code anyway."""


async def show_life(
    variables: Mapping[str, str], namespace: str, key: RequestKey, clock: Clock, *, as_json: bool
) -> bool:
    """Show what is known of a request; whether anything is.

    Raises:
        WrongInputError: there is no store.
        StackError: its URL is none.
        StoreUnavailableError: it does not answer.
        StoreScriptError: its user may not read the ledger.
    """
    url = variables.get("REDIS_URL")
    if not url:
        raise WrongInputError(
            "REDIS_URL is not set and no stack with a store runs here: without a store, what happened to a "
            "request is known to the memory of the one worker alone"
        )
    place_of(url)
    record = await _record(url, namespace, key, clock)
    life = Life(key, record, await _letters(variables.get("AMQP_URL"), key, clock), clock.now_ms())
    if as_json:
        say(orjson.dumps(life.fields(), option=orjson.OPT_INDENT_2).decode())
    for line in () if as_json else life.lines():
        say(line)
    return life.state != UNKNOWN or bool(life.letters)


async def _record(url: str, namespace: str, key: RequestKey, clock: Clock) -> Record | None:
    async with open_store(url, ANSWER_DEADLINE_S, clock) as store:
        return await StoreRecords(store, namespace, Times()).look(key)


async def _letters(url: str | None, key: RequestKey, clock: Clock) -> list[Letter] | None:
    if not url:
        return None
    tenant, correlation_id, _ = key
    choice = Choice(ids=(correlation_id,), tenants=(tenant,))
    found: list[Letter] = []
    try:
        async with dead_letters(url) as queue, aclosing(queue.held()) as all_of_it:
            seen = 0
            async for held in all_of_it:
                if choice.takes(held.letter, clock.now_ms()):
                    found.append(held.letter)
                if (seen := seen + 1) == MOST_LETTERS:
                    break
    except BrokerError:
        return None
    return found
