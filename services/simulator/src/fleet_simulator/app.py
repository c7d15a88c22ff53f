"""Routes, and the one place where a call's end is decided and written down."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from fleet_simulator import catalogue
from fleet_simulator.auth import authenticate, bearer
from fleet_simulator.call import Call
from fleet_simulator.completions import authorize, chat, fim
from fleet_simulator.connections import Connections
from fleet_simulator.control import add_control_routes
from fleet_simulator.refusals import JSON, Refusal, invalid_request
from fleet_simulator.simulator import Simulator
from fleet_simulator.validation import FIM_NEEDS_BETA

Answer = Callable[[Call], Awaitable[web.StreamResponse]]

_TRACE_ID = web.RequestKey("trace_id", str)
_UNTYPED = web.RequestKey("untyped", bool)


def build_app(simulator: Simulator) -> web.Application:
    """The HTTP application over one simulator."""
    app = web.Application(client_max_size=simulator.config.body_limit)
    edge = _Edge(simulator)
    for alias in ("", "/v1"):
        app.router.add_post(f"{alias}/chat/completions", edge.handler(_chat))
        app.router.add_post(f"{alias}/completions", edge.handler(_fim_off_beta))
        app.router.add_get(f"{alias}/models", edge.handler(_models))
        app.router.add_get(alias + "/models/{id}", edge.handler(_model))
        app.router.add_get(f"{alias}/user/balance", edge.handler(_balance))
    app.router.add_post("/v1/auth", edge.handler(_exchange))
    app.router.add_post("/beta/chat/completions", edge.handler(_chat_on_beta))
    app.router.add_post("/beta/completions", edge.handler(fim))
    add_control_routes(app, simulator)
    app.router.add_route("*", "/{unknown:.*}", edge.handler(_nowhere))
    app.on_response_prepare.append(_dress)
    return app


class _Edge:
    """Turns an answer into an aiohttp handler: arrival, refusals, and the end are the same for all."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._connections = Connections()

    def handler(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = self._arrive(request)
            try:
                return await answer(call)
            except Refusal as refusal:
                return _refuse(call, refusal)
            except asyncio.CancelledError:
                call.reason = "client_gone"
                raise
            except ConnectionError as error:
                # A client that leaves is no error of the server, which would log a traceback for it.
                call.reason = "client_gone"
                raise asyncio.CancelledError from error
            finally:
                call.note("closed", reason=call.reason, bytes=call.sent)

        return handle

    def _arrive(self, request: web.Request) -> Call:
        simulator = self._simulator
        call = Call(
            simulator,
            request,
            simulator.next_call(),
            simulator.new_trace_id(),
            simulator.clock.monotonic(),
            simulator.config.pace,
        )
        request[_TRACE_ID] = call.trace_id
        call.note(
            "arrived",
            method=request.method,
            path=request.path,
            connection=self._connections.number(request),
            trace_id=call.trace_id,
        )
        return call


async def _chat(call: Call) -> web.StreamResponse:
    return await chat(call, beta=False)


async def _chat_on_beta(call: Call) -> web.StreamResponse:
    return await chat(call, beta=True)


async def _fim_off_beta(call: Call) -> web.StreamResponse:
    authorize(call)
    raise invalid_request(FIM_NEEDS_BETA)


async def _models(call: Call) -> web.StreamResponse:
    authorize(call)
    return _json(catalogue.models_document())


async def _model(call: Call) -> web.StreamResponse:
    authorize(call)
    document = catalogue.model_document(call.request.match_info["id"])
    return await _nowhere(call) if document is None else _json(document)


async def _balance(call: Call) -> web.StreamResponse:
    account = authorize(call)
    return _json(catalogue.balance_document(account.currency, call.simulator.left(account)))


async def _exchange(call: Call) -> web.StreamResponse:
    simulator, header = call.simulator, call.request.headers.get("Authorization")
    rules = simulator.config.sessions
    if not rules.required:
        return await _nowhere(call)
    account = authenticate(header, simulator.config.accounts, simulator.new_uuid())
    document: dict[str, object] = {"access_token": simulator.sessions.open(bearer(header), rules.lifetime)}
    if rules.tells_lifetime:
        document["expires_in"] = rules.lifetime
    call.note("exchanged", account=account.name)
    return _json(orjson.dumps({**document, "token_type": "Bearer"}))


async def _nowhere(call: Call) -> web.StreamResponse:
    return _refuse(call, Refusal(404, b"", None))


def _refuse(call: Call, refusal: Refusal) -> web.Response:
    call.reason = "refused"
    call.sent = len(refusal.body)
    call.note("refused", status=refusal.status)
    headers = dict(refusal.headers)
    if refusal.content_type is None:
        call.request[_UNTYPED] = True
    else:
        headers["Content-Type"] = refusal.content_type
    return web.Response(status=refusal.status, body=refusal.body, headers=headers)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": JSON})


async def _dress(request: web.Request, response: web.StreamResponse) -> None:
    if _TRACE_ID not in request:
        return
    response.headers["x-ds-trace-id"] = request[_TRACE_ID]
    response.headers["Server"] = "elb"
    response.headers["Vary"] = "origin, access-control-request-method, access-control-request-headers"
    if _UNTYPED in request:
        # The library labels every body; the real edge sends some without a label.
        response.headers.popall("Content-Type", None)
