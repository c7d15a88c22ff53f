"""Reads the metrics page of one worker, and finds the pages of all workers behind one name."""

import asyncio
import socket
from collections.abc import Collection, Sequence
from dataclasses import replace
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from fleet_cli.status.snapshot import WorkerView
from fleet_cli.wrong_input import WrongInputError

ANSWER_DEADLINE_S = 3.0


async def pages_behind(urls: Sequence[str]) -> list[str]:
    """A page for each address of a name that has several, as a service of compose or Kubernetes has.

    Raises:
        WrongInputError: one is no URL of that kind.
    """
    found = await asyncio.gather(*map(_each_address, urls))
    return [page for pages in found for page in pages]


async def look_at(url: str) -> WorkerView:
    """The worker whose metrics are at `url`; one that does not answer is told as such.

    Raises:
        WrongInputError: it is no URL of that kind.
    """
    _require_page(url)
    try:
        view = view_of(url, await asyncio.to_thread(_fetched, url))
    except (OSError, ValueError):
        return WorkerView(url, reached=False)
    return view if view.ready else replace(view, why_not=await asyncio.to_thread(_why_not_ready, url))


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


async def _each_address(url: str) -> list[str]:
    _require_page(url)
    parts = urlsplit(url)
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return [url]
    return pages_at(url, {str(address[0]) for family, *_, address in found if family == socket.AF_INET})


def pages_at(url: str, hosts: Collection[str]) -> list[str]:
    """Pure: the pages where the name in `url` stands for these addresses."""
    parts = urlsplit(url)
    # A certificate is made out to the name, and one address needs no telling apart.
    if parts.scheme == "https" or len(hosts) < 2:  # noqa: PLR2004 - several
        return [url]
    port = f":{parts.port}" if parts.port else ""
    return [urlunsplit(parts._replace(netloc=f"{host}{port}")) for host in sorted(hosts)]


def _require_page(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise WrongInputError(f"{url} is no metrics page: give it as in http://127.0.0.1:9090/metrics")


def _why_not_ready(url: str) -> str:
    try:
        _fetched(urlunsplit(urlsplit(url)._replace(path="/readyz", query="")))
    except HTTPError as refusal:
        return refusal.read().decode(errors="replace").strip()
    except (OSError, ValueError):
        pass
    return ""


def _fetched(url: str) -> str:
    with urlopen(url, timeout=ANSWER_DEADLINE_S) as answer:  # noqa: S310 - http or https, see above
        return answer.read().decode()
