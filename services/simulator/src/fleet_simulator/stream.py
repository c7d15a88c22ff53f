"""A streamed answer: paced, framed, and ended in one of the ways streams end."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from aiohttp import web

from fleet_simulator.call import Call
from fleet_simulator.chunks import KEEP_ALIVE, error_message
from fleet_simulator.faults import Fault, Kind
from fleet_simulator.framing import framed
from fleet_simulator.outlet import Outlet, keep_alive_until, open_outlet, wait_for_start

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
}
_ENDINGS = (
    Kind.EOF_WITHOUT_DONE,
    Kind.CLOSE,
    Kind.RESET,
    Kind.STALL,
    Kind.KEEP_ALIVES_AFTER_LAST_TOKEN,
    Kind.ERROR_IN_STREAM,
)
_TURN = 64


@dataclass(frozen=True, slots=True)
class Script:
    """The messages of a stream, and how many there are."""

    messages: Iterable[bytes]
    count: int


async def stream(call: Call, script: Script) -> web.StreamResponse:
    """Send an answer as server-sent events."""
    outlet = await open_outlet(call, _HEADERS)
    if await wait_for_start(call, outlet, KEEP_ALIVE):
        ending = _ending(call)
        await _play(call, outlet, _until(script, ending))
        await _end(call, outlet, ending)
    return outlet.response


def _ending(call: Call) -> Fault | None:
    return next((call.plan[kind] for kind in _ENDINGS if kind in call.plan), None)


def _until(script: Script, ending: Fault | None) -> Iterable[bytes]:
    if ending is None:
        return script.messages
    # As late as each kind allows: all but [DONE], or all of the text and no finish.
    spared = 2 if ending.kind is Kind.KEEP_ALIVES_AFTER_LAST_TOKEN else 1
    most = script.count - spared if ending.after_chunks is None else ending.after_chunks
    return islice(script.messages, most)


async def _play(call: Call, outlet: Outlet, messages: Iterable[bytes]) -> None:
    clock, rate, hold = call.simulator.clock, _rate(call), call.plan.get(Kind.HOLD)
    began, played = clock.monotonic(), 0
    for number, pieces in framed(messages, call.plan):
        if hold and hold.after_chunks is not None and played >= hold.after_chunks:
            await call.hold(hold)
            hold = None
        for piece in pieces:
            await outlet.write(piece)
            if len(pieces) > 1:
                # A turn of the loop between pieces, so that they leave as segments of their own.
                await clock.sleep(0)
        played += number
        if rate:
            await _keep_pace(call, began + played / rate)
        elif played % _TURN < number:
            await clock.sleep(0)
    if hold:
        await call.hold(hold)


async def _keep_pace(call: Call, due: float) -> None:
    # A stream that is late sends on without a wait, until it has caught up.
    early = due - call.simulator.clock.monotonic()
    if early > 0:
        await call.simulator.clock.sleep(early)


def _rate(call: Call) -> float:
    fault = call.plan.get(Kind.PACE)
    return fault.tokens_per_second if fault else call.timing.tokens_per_second


async def _end(call: Call, outlet: Outlet, ending: Fault | None) -> None:
    if ending is None:
        return
    call.reason = ending.kind.value
    match ending.kind:
        case Kind.CLOSE:
            call.close()
        case Kind.RESET:
            await call.reset()
        case Kind.STALL:
            await call.hang(ending.seconds)
        case Kind.KEEP_ALIVES_AFTER_LAST_TOKEN:
            end = call.simulator.clock.monotonic() + ending.seconds
            await keep_alive_until(call, outlet, KEEP_ALIVE, end)
        case Kind.ERROR_IN_STREAM:
            await outlet.write(
                error_message() if ending.body is None else f"data: {ending.body}\n\n".encode()
            )
        case _:
            pass
