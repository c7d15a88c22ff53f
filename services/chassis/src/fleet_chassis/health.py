"""A service's small HTTP face: alive, ready, metrics."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from fleet_chassis.settings import SettingsError

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

    Raises:
        SettingsError: nothing can listen there, as where another service already does.
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
        await _listen(web.TCPSite(runner, host, port), host, port)
        bound_host, bound_port, *_ = runner.addresses[0]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


async def _listen(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise SettingsError(
            f"Nothing can listen at {host}:{port}, as where another worker does; set FLEET_HEALTH_PORT to a "
            "free port, or to 0 to be given one, and FLEET_HEALTH_HOST to an address of this machine."
        ) from error
