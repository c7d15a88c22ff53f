"""The control surface under `/_simulator/`: faults, settings and the log, kept out of the simulated API."""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from fleet_simulator.refusals import JSON
from fleet_simulator.settings import changed, config_document
from fleet_simulator.simulator import Simulator
from fleet_simulator.wishes import fault_document, fault_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_control_routes(app: web.Application, simulator: Simulator) -> None:
    """Add the control surface to an application."""
    control = _Control(simulator)
    app.router.add_post("/_simulator/faults", _explained(control.add_fault))
    app.router.add_get("/_simulator/faults", control.list_faults)
    app.router.add_delete("/_simulator/faults", control.clear_faults)
    app.router.add_delete("/_simulator/faults/{id}", control.remove_fault)
    app.router.add_get("/_simulator/config", control.show_config)
    app.router.add_post("/_simulator/config", _explained(control.change_config))
    app.router.add_get("/_simulator/state", control.show_state)
    app.router.add_get("/_simulator/sessions", control.show_sessions)
    app.router.add_delete("/_simulator/sessions", control.end_sessions)
    app.router.add_get("/_simulator/log", _explained(control.read_log))


class _Control:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = fault_of(orjson.loads(await request.read()))
        return _json(fault_document(self._simulator.inject(fault)), status=201)

    async def list_faults(self, _request: web.Request) -> web.Response:
        return _json([fault_document(armed) for armed in self._simulator.faults.armed()])

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._simulator.faults.clear()
        return web.Response(status=204)

    async def remove_fault(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        found = number.isdecimal() and self._simulator.faults.remove(int(number))
        return web.Response(status=204 if found else 404)

    async def show_config(self, _request: web.Request) -> web.Response:
        return _json(config_document(self._simulator.config))

    async def change_config(self, request: web.Request) -> web.Response:
        simulator = self._simulator
        simulator.apply(changed(simulator.config, orjson.loads(await request.read())))
        return _json(config_document(simulator.config))

    async def show_state(self, _request: web.Request) -> web.Response:
        pools = self._simulator.limits.pools()
        return _json([self._pool_document(account, model) for account, model in pools])

    def _pool_document(self, name: str, model: str) -> dict[str, object]:
        limits, account = self._simulator.limits, self._simulator.account(name)
        return {
            "account": name,
            "model": model,
            "in_flight": limits.in_flight(name, model),
            "peak": limits.peak(name, model),
            "limit": limits.limit(name, model),
            "balance": None if account is None else f"{self._simulator.left(account).total:f}",
        }

    async def show_sessions(self, _request: web.Request) -> web.Response:
        sessions = self._simulator.sessions
        return _json({"exchanges": sessions.exchanges, "living": sessions.living})

    async def end_sessions(self, _request: web.Request) -> web.Response:
        self._simulator.sessions.end()
        return web.Response(status=204)

    async def read_log(self, request: web.Request) -> web.Response:
        log = self._simulator.log
        events = log.events(int(request.query.get("since", "0")))
        headers = {"Content-Type": "application/jsonl", "x-next-offset": str(log.next_offset)}
        return web.Response(body=b"".join(event.line() for event in events), headers=headers)


def _explained(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": str(error)}, status=400)

    return handle


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, headers={"Content-Type": JSON})
