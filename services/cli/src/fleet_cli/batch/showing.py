"""What a person is told of a batch: how a run ended, how a batch stands, what a file holds."""

import shlex
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from fleet_chassis.clock import Clock
from fleet_cli.batch.book import read_state
from fleet_cli.batch.checking import WrongLinesError, checked, demand
from fleet_cli.batch.errors import BatchError
from fleet_cli.batch.figures import Figures, duration, figures_of, short
from fleet_cli.batch.guess import cost_of_all_nano
from fleet_cli.batch.money import dollars
from fleet_cli.batch.progress import progress_on
from fleet_cli.batch.running import Ended, run_batch
from fleet_cli.batch.wish import Wish
from fleet_cli.connecting import connected
from fleet_cli.console import complain, say
from fleet_cli.wrong_input import WrongInputError
from fleet_client import BrokerUnreachable, Fleet

_CONNECT_TIMEOUT_S = 10.0
_DIAGNOSIS_S = 4.0


async def run_and_show(url: str, wish: Wish, clock: Clock) -> bool:
    """Run a batch, show how it goes on and how it ended; whether every line has its answer.

    Raises:
        WrongInputError, BatchError, BrokerError, FleetError: it can't be run; the text says what to do.
    """

    def fleet() -> Fleet:
        return Fleet(url, tenant=wish.tenant, connect_timeout_s=_CONNECT_TIMEOUT_S)

    progress = progress_on(Console(stderr=True, highlight=False), clock.monotonic)
    try:
        ended = await run_batch(wish, fleet, progress, clock)
    except BrokerUnreachable:
        # The broker itself says more precisely what is wrong than a client that keeps trying.
        await (await connected(url, "fleet batch", _DIAGNOSIS_S)).close()
        raise
    except WrongLinesError as wrong:
        for sentence in wrong.sentences:
            complain(sentence)
        raise
    except WrongInputError:
        raise  # the same command does not go on
    except BaseException:
        _say_where_it_stands(wish.results)
        raise
    say(summary(wish, ended))
    for advice in advices(wish, ended):
        complain(advice)
    return ended.is_complete


def summary(wish: Wish, ended: Ended) -> str:
    """One line that adds up."""
    all_ = ended.figures
    rate = f", {ended.asked / ended.took_s:.1f} lines/s" if ended.asked and ended.took_s else ""
    return (
        f"batch {wish.name}: {all_.lines} lines = {all_.done} done + {all_.failed} failed + {all_.left} "
        f"skipped; {_tokens_and_money(all_)}; {duration(ended.took_s)}{rate}"
    )


def advices(wish: Wish, ended: Ended) -> list[str]:
    """What to do about lines that have no answer."""
    again = f"fleet batch run {shlex.quote(str(wish.source))} -o {shlex.quote(str(wish.results))}"
    found: list[str] = []
    if ended.stopped_by:
        found.append(
            f"{ended.figures.left} lines were left out: {ended.stopped_by}. The same command goes on"
        )
    if ended.figures.failed:
        found.append(
            f"failed lines are at the end of {wish.results}: `{again} --retry-failed` asks them anew"
        )
    return found


def show_status(results: Path, *, as_json: bool) -> None:
    """Say how a batch stands, by its journal.

    Raises:
        WrongInputError: there is no journal.
    """
    state, runs = read_state(results)
    if state.begun is None or state.input is None:
        say("nothing was sent yet")
        return
    figures = figures_of(state, state.input.lines)
    known: dict[str, Any] = {
        "batch": state.begun.name,
        "tenant": state.begun.tenant,
        "input": state.input.path,
        "results": str(results),
        "running": runs,
    }
    if as_json:
        say(orjson.dumps({**known, **figures.fields()}, option=orjson.OPT_INDENT_2).decode())
        return
    how = "runs" if runs else "has ended" if not figures.left else "does not run: the same command goes on"
    say(f"batch {state.begun.name} of {state.begun.tenant}: {state.input.path} -> {results}; it {how}")
    say(
        f"{figures.lines} lines = {figures.done} done + {figures.failed} failed + {figures.left} left; "
        f"{_tokens_and_money(figures)}"
    )


def show_check(wish: Wish, clock: Clock) -> None:
    """Say what is in an input file, or what is wrong with it; sends nothing.

    Raises:
        WrongInputError: something is wrong with it.
    """
    found = checked(wish.source, wish.choices)
    if found.wrong:
        for sentence in found.sentences():
            say(sentence)
        raise BatchError(f"{found.wrong} of {found.lines} lines of {wish.source} have to be corrected")
    demand(found, wish.source)
    models = ", ".join(f"{count} x {model}" for model, count in found.models.most_common())
    say(f"{wish.source} is right: {found.lines} lines ({models}), {short(found.bytes)} bytes")
    guess = cost_of_all_nano(found, wish, clock.now_ms())
    say(f"about {dollars(guess)} at this hour's price, with up to 1000 tokens for each answer")


def _say_where_it_stands(results: Path) -> None:
    try:
        state, _ = read_state(results)
    except Exception:  # noqa: BLE001 -- what stopped the run is what the person has to hear
        return
    if state.input is not None and state.whole is not None:
        complain(
            f"stopped: {figures_of(state, state.input.lines).line()}. The same command goes on from here"
        )


def _tokens_and_money(figures: Figures) -> str:
    return f"{figures.prompt_tokens} + {figures.completion_tokens} tokens; {dollars(figures.cost_nano)}"
