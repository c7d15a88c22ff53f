"""A service's small HTTP face: started, alive, ready, metrics, and pages of figures."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from fleet_chassis.settings import SettingsError

Page = Callable[[], Awaitable[Mapping[str, int] | None]]
"""Looks figures up, for a program that asks for them as JSON; None where they can't be had now."""
WhyNot = Callable[[], str | None]
"""The reason in one sentence, or None where nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is asked of a service.

    Attributes:
        why_not_ready: why it takes no work now.
        why_dead: why only a restart can help.
        why_not_started: why it has not begun yet.
    """

    why_not_ready: WhyNot
    why_dead: WhyNot = lambda: None
    why_not_started: WhyNot = lambda: None


@asynccontextmanager
async def serve_health(
    host: str,
    port: int,
    registry: CollectorRegistry,
    health: Health,
    pages: Mapping[str, Page] | None = None,
) -> AsyncGenerator[str]:
    """Answer `/startupz`, `/livez` and `/readyz` (503 with the reason), and `/metrics`; yields the base URL.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        registry: the metrics to show.
        health: how the service is, looked up whenever somebody asks.
        pages: figures by their path, as `/scale`; 503 while they can't be had.

    Raises:
        SettingsError: nothing can listen there, as where another service already does.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [
            web.get("/startupz", _probe("started", health.why_not_started)),
            web.get("/livez", _probe("alive", health.why_dead)),
            web.get("/readyz", _probe("ready", health.why_not_ready)),
            web.get("/metrics", metrics),
            *(web.get(path, _figures(page)) for path, page in (pages or {}).items()),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(web.TCPSite(runner, host, port), host, port)
        bound_host, bound_port, *_ = runner.addresses[0]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


def _probe(fine: str, why_not: WhyNot) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def probe(_request: web.Request) -> web.Response:
        reason = why_not()
        return (
            web.Response(text=f"{fine}\n") if reason is None else web.Response(status=503, text=f"{reason}\n")
        )

    return probe


def _figures(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def figures(_request: web.Request) -> web.Response:
        found = await page()
        return web.Response(status=503, text="not known now\n") if found is None else web.json_response(found)

    return figures


async def _listen(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise SettingsError(
            f"Nothing can listen at {host}:{port}, as where another worker does; set FLEET_HEALTH_PORT to a "
            "free port, or to 0 to be given one, and FLEET_HEALTH_HOST to an address of this machine."
        ) from error
