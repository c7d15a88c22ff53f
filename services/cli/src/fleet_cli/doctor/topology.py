"""Whether the broker holds the fleet's exchanges and queues, with the arguments of the contract."""

import re

from fleet_cli.doctor.asker import Asker, Differs, Finding, Forbidden, Missing
from fleet_cli.doctor.check import Check, failed, fine, warning
from fleet_contracts.topology import topology

NAME = "topology"
APPLY = "run `fleet topology apply`"
SHOWN = 3
UNEQUAL = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?:queue|exchange) '[^']*' in vhost '[^']*': "
    r"received (?P<wanted>.+?) but current is (?P<is>[^\"\)]+)"
)


async def check_topology(asker: Asker) -> Check:
    """Compare every exchange and queue with the contract; nothing is made or changed."""
    parts = topology()
    findings = {f"exchange {each.name}": await asker.compare_exchange(each) for each in parts.exchanges}
    findings |= {f"queue {each.name}": await asker.compare_queue(each) for each in parts.queues}
    return judged(findings)


def judged(findings: dict[str, Finding]) -> Check:
    """What the findings mean, the worst first."""
    different = [f"{name} {_difference(it)}" for name, it in findings.items() if isinstance(it, Differs)]
    missing = [name for name, it in findings.items() if isinstance(it, Missing)]
    forbidden = [name for name, it in findings.items() if isinstance(it, Forbidden)]
    if different:
        advice = f"drain and delete what differs, then {APPLY} with this release of the fleet"
        return failed(NAME, _some(different), advice)
    if missing:
        return failed(NAME, f"missing: {_some(missing)}", APPLY)
    if forbidden:
        return warning(
            NAME,
            f"this user may not ask about {_some(forbidden)}",
            "ask as a user with the right to configure",
        )
    return fine(NAME, f"{len(findings)} exchanges and queues as in the contract (AMQP shows no bindings)")


def _difference(differs: Differs) -> str:
    told = UNEQUAL.search(differs.words)
    if told is None:
        return "has other arguments than the contract"
    return f"has {told['argument']} {told['is'].strip()} where the contract says {told['wanted']}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
