"""Writes the dashboards beside it: `python deploy/grafana/build.py`. Change them here, not in Grafana."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, ACROSS = 8, 8, 3
# Not the callers' queues for replies, of which each program has one, nor the results that nobody listens to.
OF_THE_FLEET = '{queue=~"deepseek\\\\.(requests|retry|dead|control).*"}'


@dataclass(frozen=True)
class Panel:
    """One picture: queries with the legend of each, and what it is there to answer."""

    title: str
    answers: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


@dataclass(frozen=True)
class Dashboard:
    """A page of pictures."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def quantiles(metric: str, by: str) -> tuple[tuple[str, str], ...]:
    """The median and the slowest twentieth and hundredth of a histogram."""
    return tuple(
        (
            f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[$__rate_interval])))",
            f"p{share * 100:.0f} {{{{{by}}}}}",
        )
        for share in (0.5, 0.95, 0.99)
    )


def rate(metric: str, by: str = "", where: str = "") -> str:
    """How much of a counter there is in a second."""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate({metric}{where}[$__rate_interval]))"


def share(part: str, whole: str) -> str:
    """One query over another."""
    return f"{part} / {whole}"


OVERVIEW = Dashboard(
    "overview",
    "Fleet: overview",
    (
        Panel("Workers ready", "Does anybody work?", "none", (("sum(fleet_ready)", "ready"),), "stat"),
        Panel(
            "In work",
            "How much is going on?",
            "none",
            (("sum(fleet_requests_in_flight)", "requests"),),
            "stat",
        ),
        Panel(
            "Failed of all",
            "How many requests end without an answer?",
            "percentunit",
            (
                (
                    share(
                        rate("fleet_requests_ended_total", where='{outcome!="result"}'),
                        rate("fleet_requests_ended_total"),
                    ),
                    "failed",
                ),
            ),
            "stat",
        ),
        Panel(
            "Requests by outcome",
            "What comes of them?",
            "reqps",
            ((rate("fleet_requests_ended_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            "Waiting in queues",
            "Does a backlog grow? (from RabbitMQ)",
            "none",
            (
                (
                    f"sum by (queue) (rabbitmq_detailed_queue_messages_ready{OF_THE_FLEET})",
                    "{{queue}}",
                ),
            ),
        ),
        Panel(
            "In work by worker",
            "Is the work spread, and is there room?",
            "none",
            (
                ("fleet_requests_in_flight", "{{instance}}"),
                ("sum(fleet_requests_capacity)", "room of all"),
            ),
        ),
        Panel(
            "Oldest request in work",
            "Does something hang?",
            "s",
            (("max by (instance) (fleet_oldest_request_seconds)", "{{instance}}"),),
        ),
        Panel(
            "Dead letters",
            "What needs a person?",
            "none",
            ((rate("fleet_dead_letters_total", "code"), "{{code}}"),),
        ),
        Panel(
            "Versions",
            "Is an upgrade through?",
            "none",
            (("count by (version) (fleet_worker_info)", "{{version}}"),),
        ),
    ),
)

LATENCY = Dashboard(
    "latency",
    "Fleet: latency",
    (
        Panel(
            "Wait in the queue",
            "From publish to delivery",
            "s",
            quantiles("fleet_queue_wait_seconds", "lane"),
        ),
        Panel(
            "Wait for a permit",
            "Do the limits hold back?",
            "s",
            quantiles("fleet_permit_wait_seconds", "lane"),
        ),
        Panel(
            "Delivery to terminal reply",
            "How long a request is here",
            "s",
            quantiles("fleet_request_seconds", "lane"),
        ),
        Panel(
            "First text",
            "From the call to its first text",
            "s",
            quantiles("fleet_first_content_seconds", "model"),
        ),
        Panel(
            "Longest gap",
            "The longest silence in a stream",
            "s",
            quantiles("fleet_longest_gap_seconds", "model"),
        ),
        Panel("Upstream call", "From its start to its end", "s", quantiles("fleet_call_seconds", "model")),
        Panel(
            "Loop lag",
            "Is a worker's processor the limit?",
            "s",
            quantiles("fleet_loop_lag_seconds", "instance"),
        ),
        Panel(
            "Processor of a worker",
            "Cores in use",
            "none",
            (("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),),
        ),
        Panel(
            "Memory of a worker",
            "Does it grow?",
            "bytes",
            (("process_resident_memory_bytes", "{{instance}}"),),
        ),
    ),
)

LIMITS = Dashboard(
    "limits-and-money",
    "Fleet: limits and money",
    (
        Panel(
            "Calls at once",
            "How full are the limits?",
            "none",
            (
                ("max by (account, model) (fleet_limit_in_flight)", "in flight {{account}} {{model}}"),
                ("min by (account, model) (fleet_limit_concurrency)", "limit {{account}} {{model}}"),
            ),
        ),
        Panel(
            "Waiting for a permit",
            "Who waits because of the limits?",
            "none",
            (("max by (account, model) (fleet_limit_waiting)", "{{account}} {{model}}"),),
        ),
        Panel(
            "Permits by end",
            "What did the limits learn?",
            "ops",
            ((rate("fleet_permits_ended_total", "ended"), "{{ended}}"),),
        ),
        Panel(
            "Dollars an hour by tenant",
            "Who spends?",
            "currencyUSD",
            ((f"3600 * {rate('fleet_spent_dollars_total', 'tenant')}", "{{tenant}}"),),
        ),
        Panel(
            "Dollars an hour by model",
            "On what?",
            "currencyUSD",
            ((f"3600 * {rate('fleet_spent_dollars_total', 'model')}", "{{model}}"),),
        ),
        Panel(
            "Left on each account",
            "How long does it last?",
            "currencyUSD",
            (("min by (account) (fleet_balance_dollars)", "{{account}}"),),
        ),
        Panel(
            "Answers by account",
            "Who pays, and who leaves calls to others?",
            "ops",
            (
                (rate("fleet_answers_total", "account"), "answers {{account}}"),
                (rate("fleet_handovers_total", "account"), "left to others {{account}}"),
            ),
        ),
        Panel("Tokens", "What is used?", "none", ((rate("fleet_tokens_total", "kind"), "{{kind}}"),)),
        Panel(
            "Share of the input from the cache",
            "Do prompts begin alike?",
            "percentunit",
            (
                (
                    share(
                        rate("fleet_tokens_total", "model", '{kind="input_cached"}'),
                        rate("fleet_tokens_total", "model", '{kind=~"input_.+"}'),
                    ),
                    "{{model}}",
                ),
            ),
        ),
        Panel(
            "Put aside, refused, over budget",
            "Whom do limits and budgets keep out?",
            "ops",
            (
                (rate("fleet_permits_postponed_total"), "waits too long to be held"),
                (rate("fleet_permits_lost_total"), "permit taken away"),
                (rate("fleet_budget_refusals_total"), "over budget"),
                (rate("fleet_publishes_refused_total", "code"), "{{code}}"),
            ),
        ),
    ),
)

RELIABILITY = Dashboard(
    "reliability",
    "Fleet: reliability",
    (
        Panel(
            "Failed calls",
            "What does DeepSeek say?",
            "ops",
            ((rate("fleet_attempts_failed_total", "code"), "{{code}}"),),
        ),
        Panel(
            "Attempts and bills of a request",
            "How often is one paid twice?",
            "none",
            (
                (
                    share(rate("fleet_attempts_per_request_sum"), rate("fleet_attempts_per_request_count")),
                    "attempts",
                ),
                (
                    share(
                        rate("fleet_billed_attempts_per_request_sum"),
                        rate("fleet_billed_attempts_per_request_count"),
                    ),
                    "billed",
                ),
            ),
        ),
        Panel(
            "Repeated calls",
            "Does the retry budget last?",
            "ops",
            ((rate("fleet_retries_total", "granted"), "granted {{granted}}"),),
        ),
        Panel(
            "Breaker and account",
            "Is a model, or everything, left alone?",
            "none",
            (
                (rate("fleet_breaker_changes_total", "model, change"), "{{model}} {{change}}"),
                ("max by (account, code) (fleet_account_paused)", "account {{account}} {{code}}"),
                (rate("fleet_calls_postponed_total", "reason"), "postponed {{reason}}"),
            ),
        ),
        Panel(
            "Put aside",
            "Why, and for how long?",
            "ops",
            ((rate("fleet_requests_parked_total", "reason, rung"), "{{reason}} {{rung}} s"),),
        ),
        Panel(
            "Store",
            "Is it there, and does an answer wait for it?",
            "none",
            (
                ("min(fleet_store_up)", "up"),
                ("max(fleet_limiter_store_away)", "away for the limiter"),
                ("sum(fleet_commits_waiting)", "answers that wait"),
            ),
        ),
        Panel(
            "Broker",
            "Do connections or consumers break?",
            "ops",
            (
                (rate("fleet_broker_reconnects_total", "connection"), "made anew: {{connection}}"),
                (rate("fleet_consumers_revived_total", "why"), "revived: {{why}}"),
            ),
        ),
        Panel(
            "Ledger",
            "Are requests asked twice, or their workers lost?",
            "ops",
            (
                (rate("fleet_claims_total", "answer"), "{{answer}}"),
                (rate("fleet_owners_vanished_total"), "workers lost"),
                (rate("fleet_replays_total"), "answers sent again"),
                (rate("fleet_answers_dropped_total"), "answers dropped"),
            ),
        ),
        Panel(
            "Deliveries, streams, drains",
            "What is given back, who is too slow?",
            "ops",
            (
                (rate("fleet_deliveries_settled_total", "outcome"), "{{outcome}}"),
                (rate("fleet_streams_degraded_total"), "degraded streams"),
                ("sum(fleet_draining)", "workers that drain"),
            ),
        ),
        Panel(
            "Conversations",
            "What becomes of turns?",
            "ops",
            (
                (rate("fleet_conversation_turns_total", "outcome"), "{{outcome}}"),
                (rate("fleet_conversation_turns_trimmed_total"), "turns that are sent no more"),
            ),
        ),
    ),
)

DASHBOARDS = (OVERVIEW, LATENCY, LIMITS, RELIABILITY)


def rendered(dashboard: Dashboard) -> str:
    """The dashboard as Grafana reads it."""
    document: dict[str, Any] = {
        "uid": f"fleet-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["deepseek-fleet"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "links": [{"title": "Fleet", "type": "dashboards", "tags": ["deepseek-fleet"], "asDropdown": True}],
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }
    return json.dumps(document, indent=2) + "\n"


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, ACROSS)
    return {
        "id": number + 1,
        "title": panel.title,
        "description": panel.answers,
        "type": panel.kind,
        "datasource": DATASOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for place, (expr, legend) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    for dashboard in DASHBOARDS:
        (HERE / f"{dashboard.name}.json").write_text(rendered(dashboard))
