"""Forgets a tenant: removes what the fleet keeps of it in the store, and says what is elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.store import RedisStore
from fleet_cli.console import say
from fleet_cli.limits.opening import opened_store
from fleet_worker.conversations.forgetting import ForgottenConversations, forget_conversations
from fleet_worker.ledger.forgetting import ForgottenRequests, forget_requests, has_not_ended
from fleet_worker.limiter.forgetting import ForgottenLimits, forget_limits

ELSEWHERE = (
    "requests that wait in queues, and what other programs made of results that were delivered",
    "dead letters: `fleet dlq drop --tenant {tenant}`",
    "results that nobody listened to, in deepseek.results.unheard: 10,000 newer ones push them out",
    "logs, traces and metrics, and the audit log, where commands name it",
    "the memory of running workers, which knows what it spent this month until they end",
    "DeepSeek itself",
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is gone, and what was left."""

    requests: ForgottenRequests
    conversations: ForgottenConversations
    limits: ForgottenLimits

    def gone(self) -> list[str]:
        """How many of each."""
        requests, talks, limits = self.requests, self.conversations, self.limits
        return [
            f"{requests.records} records of requests",
            f"{requests.bodies} terminal replies",
            f"{talks.conversations} conversations",
            f"{talks.answers} answers kept for a takeover",
            f"{limits.limits} limits and budgets",
            f"{limits.spent} sums that it spent",
            f"{limits.usage} figures of its use by day",
        ]

    def left(self) -> list[str]:
        """What runs or waits, and has to end first."""
        requests, talks = self.requests, self.conversations
        counted = {
            "requests that a worker has in hand": requests.claimed,
            "requests that wait, or were cancelled before they came": requests.waiting,
            "conversations with a turn under way": talks.taken,
            "answers of turns that have not ended": talks.open_answers,
        }
        return [f"{count} {what}" for what, count in counted.items() if count]


async def forget_tenant(environ: Mapping[str, str], clock: Clock, tenant: str) -> bool:
    """Remove what the store keeps of a tenant, and say how much; whether nothing was left.

    Raises:
        WrongInputError: there is no store.
        StackError: it does not answer; what is forgotten by then is, and it may be asked again.
    """
    async with opened_store(environ, clock) as (store, namespace):
        forgotten = await _forgotten(store, namespace, tenant, clock)
    _say(f"forgotten of {tenant}:", forgotten.gone())
    left = forgotten.left()
    if left:
        _say("left, to be forgotten by the same command when they have ended:", left)
    if forgotten.limits.has_queues:
        say(f"it has queues of its own: `fleet tenant remove {tenant}` takes them away")
    _say("not reached from here:", [line.format(tenant=tenant) for line in ELSEWHERE])
    return not left


async def _forgotten(store: RedisStore, namespace: str, tenant: str, clock: Clock) -> Forgotten:
    # Conversations first: an answer is kept or not by what the ledger still knows of its request.
    conversations = await forget_conversations(
        store, namespace, tenant, lambda request: has_not_ended(store, namespace, request)
    )
    requests = await forget_requests(store, namespace, tenant)
    return Forgotten(requests, conversations, await forget_limits(store, namespace, tenant, clock))


def _say(heading: str, lines: list[str]) -> None:
    say(heading)
    for line in lines:
        say(f"  {line}")
