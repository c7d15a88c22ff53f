"""Reads the metrics page of one worker."""

import asyncio
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from fleet_cli.status.snapshot import WorkerView
from fleet_cli.wrong_input import WrongInputError

ANSWER_DEADLINE_S = 3.0


async def look_at(url: str) -> WorkerView:
    """The worker whose metrics are at `url`; one that does not answer is told as such.

    Raises:
        WrongInputError: it is no URL of that kind.
    """
    if not url.startswith(("http://", "https://")):
        raise WrongInputError(f"{url} is no metrics page: give it as in http://127.0.0.1:9090/metrics")
    try:
        return view_of(url, await asyncio.to_thread(_fetched, url))
    except (OSError, ValueError):
        return WorkerView(url, reached=False)


def view_of(url: str, page: str) -> WorkerView:
    """Pure: what a metrics page says.

    Raises:
        ValueError: it is none.
    """
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    (info,) = [sample.labels for sample in samples if sample.name == "fleet_worker_info"] or [{}]
    ended = "fleet_requests_ended_total"
    return WorkerView(
        url=url,
        name=info.get("worker", ""),
        version=info.get("version", ""),
        ready=_sum(samples, "fleet_ready") > 0,
        draining=_sum(samples, "fleet_draining") > 0,
        in_flight=int(_sum(samples, "fleet_requests_in_flight")),
        capacity=int(_sum(samples, "fleet_requests_capacity")),
        oldest_s=_sum(samples, "fleet_oldest_request_seconds"),
        counted={
            "requests": _sum(samples, ended),
            "failures": _sum(samples, ended) - _sum(samples, ended, outcome="result"),
            "attempts": _sum(samples, "fleet_attempts_total"),
            "tokens": _sum(samples, "fleet_tokens_total"),
            "dollars": _sum(samples, "fleet_spent_dollars_total"),
        },
    )


def _sum(samples: list[Sample], name: str, **labels: str) -> float:
    return sum(
        sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
    )


def _fetched(url: str) -> str:
    with urlopen(url, timeout=ANSWER_DEADLINE_S) as answer:  # noqa: S310 - http or https, see above
        return answer.read().decode()
