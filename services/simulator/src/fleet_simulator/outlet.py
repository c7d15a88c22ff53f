"""The body of a response that has begun: counted, logged, and written without buffering."""

from collections.abc import Mapping

from aiohttp import web

from fleet_simulator.call import Call
from fleet_simulator.faults import Kind


class Outlet:
    """Where a call's bytes leave."""

    def __init__(self, call: Call, response: web.StreamResponse) -> None:
        self._call = call
        self.response = response

    async def write(self, data: bytes) -> None:
        """Send bytes now.

        Raises:
            ConnectionResetError: The client has left.
        """
        call = self._call
        if not call.sent:
            call.note("first_byte")
        call.sent += len(data)
        await self.response.write(data)


async def open_outlet(call: Call, headers: Mapping[str, str]) -> Outlet:
    """Send status 200 and the headers when their time has come; from here on no failure can be a status."""
    await call.simulator.clock.sleep(call.timing.headers)
    response = web.StreamResponse(status=200, headers=headers)
    if call.request.keep_alive:
        response.headers["Connection"] = "keep-alive"
    response.enable_chunked_encoding()
    await response.prepare(call.request)
    return Outlet(call, response)


async def wait_for_start(call: Call, outlet: Outlet, keep_alive: bytes) -> bool:
    """Wait until the first token, with a keep-alive each period; False when the queue closed first."""
    delay = _start_delay(call)
    opened = call.simulator.clock.monotonic()
    closes_at = call.arrived + call.timing.queue_close
    if Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN in call.plan:
        await keep_alive_until(call, outlet, keep_alive, opened + delay)
        call.reason = Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN.value
        return False
    await keep_alive_until(call, outlet, keep_alive, min(opened + delay, closes_at))
    call.started = opened + delay < closes_at
    if not call.started:
        call.reason = "queue_closed"
    return call.started


async def keep_alive_until(call: Call, outlet: Outlet, keep_alive: bytes, end: float) -> None:
    """Send a keep-alive each period, counted from the call's arrival, until the monotonic time `end`."""
    clock, period = call.simulator.clock, call.timing.keep_alive
    passed = int((clock.monotonic() - call.arrived) / period)
    due = call.arrived + (passed + 1) * period
    while due < end:
        await clock.sleep(due - clock.monotonic())
        await outlet.write(keep_alive)
        due += period
    await clock.sleep(end - clock.monotonic())


def _start_delay(call: Call) -> float:
    for kind in (Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN, Kind.SLOW_FIRST_TOKEN):
        if (seconds := call.seconds(kind)) is not None:
            return seconds
    return call.timing.first_token
