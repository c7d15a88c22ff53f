"""All faults, in the order in which they are played."""

from alerts import of_calls, of_parts
from alerts.fault import Fault

FAULTS = (
    Fault("callers send what is no request", ("FleetDeadLetters",), of_calls.bad_messages),
    Fault("a tenant has spent its budget", ("FleetBudgetSpent",), of_calls.budget_spent),
    Fault("3 dollars are left on the account", ("FleetBalanceLow",), of_calls.account_low),
    Fault("the account is empty: 402", ("FleetAccountRefused",), of_calls.account_empty),
    Fault("429 for one call in five", ("FleetThrottled",), of_calls.upstream_throttles),
    Fault("every other stream breaks after text", ("FleetPaysTwice",), of_calls.streams_broken, 150),
    Fault(
        "503 for four calls in ten",
        ("FleetRequestsFail", "FleetRetriesUsedUp", "FleetUpstreamFails"),
        of_calls.upstream_shaky,
    ),
    Fault("503 for every call", ("FleetBreakerOpen",), of_calls.upstream_down),
    Fault("the first text takes a minute", ("FleetFirstTextLate",), of_calls.text_late, 150),
    Fault("a reply queue is full", ("FleetStreamsDegraded",), of_calls.slow_readers, 150),
    Fault("a limit of one call", ("FleetPermitWaits",), of_calls.limit_tight, 300),
    Fault("ten times as much is asked as the day before", ("FleetSpendsMore",), of_calls.spends_more),
    Fault(
        "the store is stopped while streams run",
        ("FleetStoreAway", "FleetCommitsWait", "FleetWorkerNotReady"),
        of_parts.the_store_away,
    ),
    Fault(
        "the broker closes every connection, again and again",
        ("FleetBrokerUnsteady",),
        of_parts.connections_cut,
    ),
    Fault(
        "the broker forgets its consumers and says nothing",
        ("FleetConsumersRevived",),
        of_parts.consumers_forgotten,
        150,
    ),
    Fault("workers get the processor every other second", ("FleetLoopLags",), of_parts.a_starved_processor),
    Fault("a worker drains and a stream does not end", ("FleetDrainStuck",), of_parts.a_drain_that_lasts),
    Fault("a build with a bug", ("FleetBugs",), of_parts.a_bug),
    Fault(
        "three workers die over one request",
        ("FleetCrashLoop", "FleetWorkersVanish"),
        of_parts.a_poison_message,
    ),
    Fault(
        "all workers are gone and requests come",
        ("FleetNoWorker", "FleetQueueUnserved", "FleetRawDeadLettersWait", "FleetBacklogGrows"),
        of_parts.no_workers,
    ),
    Fault("a backlog of more than a minute", ("FleetQueueWaits",), of_parts.backlog_worked_off, 120),
)
