"""Runs one worker as a process."""

import asyncio
import gc
import os
import socket
import sys

from fleet_chassis.crashes import log_crashes
from fleet_chassis.descriptors import take_descriptors
from fleet_chassis.logging import configure_logging, get_log
from fleet_chassis.service import run_service
from fleet_worker.bootstrap import start_worker
from fleet_worker.settings import WorkerSettings

DESCRIPTORS_APART = 64
"""What a worker has open beside its calls: broker, store, probes, libraries; with room."""
GARBAGE_THRESHOLD = 10_000
"""Objects that may gather before the youngest are looked through; Python's own is 700."""


def run(settings: WorkerSettings) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain. Prints one line when it is ready.

    Raises:
        SettingsError: a setting is wrong; the text says what to do.
        CannotStartError: what it needs around it is away or in its way; the text says what to do.
    """
    configure_logging(settings.log_level, settings.log_format, content=settings.log_content)
    log_crashes(get_log("worker"))
    _take_descriptors(settings.concurrency)
    named = settings.named(f"{socket.gethostname()}-{os.getpid()}")

    async def serve(stop: asyncio.Event) -> None:
        log = get_log("worker")
        async with start_worker(named) as worker:
            _spare_the_collector()
            _say(f"worker {named.worker_name} ready, health at {worker.health_url}")
            await stop.wait()
            log.info("drain begins", running=worker.supervisor.running, grace_s=named.drain_s)
            await worker.drain(named.drain_s)
            log.info("drain ended")

    run_service(serve)


def _take_descriptors(concurrency: int) -> None:
    allowed = take_descriptors()
    if allowed < concurrency + DESCRIPTORS_APART:
        get_log("worker").warning(
            "too few file descriptors for FLEET_CONCURRENCY: raise the limit (ulimit -n) or lower it",
            allowed=allowed,
            concurrency=concurrency,
        )


def _spare_the_collector() -> None:
    # What was built so far lives as long as the process, and a stream makes no cycles for each chunk: looking
    # through all of it at Python's own pace took up to half of a busy worker's time. Collecting first would
    # free nothing that can be measured, and take a tenth of a start.
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    gc.enable()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
