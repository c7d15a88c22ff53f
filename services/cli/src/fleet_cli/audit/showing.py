"""Prints the audit log."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from fleet_chassis.clock import Clock
from fleet_cli.audit.entries import AuditLog, Entry
from fleet_cli.console import say
from fleet_cli.limits.opening import opened_store
from fleet_cli.limits.showing import table


async def show_audit(environ: Mapping[str, str], clock: Clock, count: int, *, as_json: bool) -> None:
    """Print the newest entries, the newest last."""
    async with opened_store(environ, clock) as (store, namespace):
        entries = await AuditLog(store, namespace).newest(count)
    if as_json:
        for entry in entries:
            say(json.dumps(asdict(entry)))
        return
    if not entries:
        say("no operator has changed anything")
        return
    for line in table([("when (UTC)", "who", "outcome", "command"), *(_row(entry) for entry in entries)]):
        say(line)


def _row(entry: Entry) -> tuple[str, str, str, str]:
    when = datetime.fromtimestamp(entry.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return when, entry.who, entry.outcome, entry.command
