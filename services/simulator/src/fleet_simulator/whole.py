"""An answer that is not streamed: blank lines while it is made, then one JSON document."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from fleet_simulator.call import Call
from fleet_simulator.faults import Fault, Kind
from fleet_simulator.framing import pieces
from fleet_simulator.outlet import Outlet, keep_alive_until, open_outlet, wait_for_start

_HEADERS = {"Content-Type": "application/json"}
_BLANK = b"\n"
_ENDINGS = (Kind.EOF_WITHOUT_DONE, Kind.CLOSE, Kind.RESET, Kind.STALL, Kind.KEEP_ALIVES_AFTER_LAST_TOKEN)


async def whole(call: Call, document: Mapping[str, object], tokens: int) -> web.StreamResponse:
    """Send an answer as one document, after the time that its tokens take."""
    outlet = await open_outlet(call, _HEADERS)
    if await wait_for_start(call, outlet, _BLANK):
        await _generate(call, outlet, tokens)
        if hold := call.plan.get(Kind.HOLD):
            await call.hold(hold)
        ending = next((call.plan[kind] for kind in _ENDINGS if kind in call.plan), None)
        if ending:
            await _end_without_answer(call, outlet, ending)
        else:
            await _send(call, outlet, document)
    return outlet.response


async def _generate(call: Call, outlet: Outlet, tokens: int) -> None:
    fault = call.plan.get(Kind.PACE)
    rate = fault.tokens_per_second if fault else call.timing.tokens_per_second
    if rate:
        await keep_alive_until(call, outlet, _BLANK, call.simulator.clock.monotonic() + tokens / rate)


async def _send(call: Call, outlet: Outlet, document: Mapping[str, object]) -> None:
    data = orjson.dumps(document)
    split = call.plan.get(Kind.SPLIT)
    for piece in pieces(data, split.sizes) if split else (data,):
        await outlet.write(piece)


async def _end_without_answer(call: Call, outlet: Outlet, ending: Fault) -> None:
    call.reason = ending.kind.value
    match ending.kind:
        case Kind.CLOSE:
            call.close()
        case Kind.RESET:
            await call.reset()
        case Kind.STALL:
            await call.hang(ending.seconds)
        case Kind.KEEP_ALIVES_AFTER_LAST_TOKEN:
            await keep_alive_until(call, outlet, _BLANK, call.simulator.clock.monotonic() + ending.seconds)
        case _:
            pass
