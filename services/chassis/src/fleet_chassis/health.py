"""A service's small HTTP face: alive, ready, metrics."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

WhyNotReady = Callable[[], str | None]


@asynccontextmanager
async def serve_health(
    host: str,
    port: int,
    registry: CollectorRegistry,
    why_not_ready: WhyNotReady,
) -> AsyncGenerator[str]:
    """Answer `/livez`, `/readyz` (503 with the reason while not ready) and `/metrics`; yields the base URL.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        registry: the metrics to show.
        why_not_ready: the reason in one sentence, or None while the service is ready.
    """

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_request: web.Request) -> web.Response:
        reason = why_not_ready()
        return (
            web.Response(text="ready\n") if reason is None else web.Response(status=503, text=f"{reason}\n")
        )

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound_host, bound_port, *_ = runner.addresses[0]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()
