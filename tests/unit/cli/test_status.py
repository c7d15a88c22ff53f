"""How the fleet stands, from what its parts said."""

from dataclasses import replace

from fleet_cli.status.snapshot import LaneView, Snapshot, WorkerView, document, lines, rates
from fleet_cli.status.worker_page import pages_at, view_of
from fleet_worker.limiter.overview import PoolView
from fleet_worker.upstream_health.overview import Trouble

PAGE = """\
# TYPE fleet_worker_info gauge
fleet_worker_info{version="0.1.0",worker="w-1"} 1.0
# TYPE fleet_ready gauge
fleet_ready 1.0
# TYPE fleet_requests_in_flight gauge
fleet_requests_in_flight 3.0
# TYPE fleet_requests_capacity gauge
fleet_requests_capacity 200.0
# TYPE fleet_oldest_request_seconds gauge
fleet_oldest_request_seconds 12.5
# TYPE fleet_requests_ended counter
fleet_requests_ended_total{lane="batch",outcome="result"} 4.0
fleet_requests_ended_total{lane="interactive",outcome="cancelled"} 1.0
"""


def a_worker(requests: float, **changes: object) -> WorkerView:
    return WorkerView(url="http://w/metrics", name="w-1", counted={"requests": requests}, **changes)  # pyright: ignore[reportArgumentType]


def a_snapshot(*workers: WorkerView) -> Snapshot:
    pool = PoolView("default/deepseek-flash", 100, 80, 3, 1, 80, 0)
    return Snapshot([LaneView("deepseek.requests", 7, 2)], workers, 2, [pool])


def test_a_metrics_page_says_how_its_worker_is():
    view = view_of("http://w/metrics", PAGE)
    assert (view.name, view.version, view.ready, view.draining) == ("w-1", "0.1.0", True, False)
    assert (view.in_flight, view.capacity, view.oldest_s) == (3, 200, 12.5)
    assert (view.counted["requests"], view.counted["failures"]) == (5, 1)


def test_rates_are_of_the_workers_that_answered_twice_and_never_negative():
    before, now = a_snapshot(a_worker(10)), a_snapshot(a_worker(30), WorkerView("http://new/metrics"))
    assert rates(before, now, 2)["requests"] == 10
    assert rates(now, before, 2)["requests"] == 0
    assert rates(before, a_snapshot(WorkerView("http://w/metrics", reached=False)), 2)["requests"] == 0


def test_a_person_reads_lanes_workers_rates_and_limits():
    now = a_snapshot(a_worker(5, ready=True, in_flight=3, capacity=200, oldest_s=12.5))
    text = "\n".join(lines(now, rates(now, now, 1)))
    assert "deepseek.requests" in text
    assert "w-1" in text
    assert "12.5 s" in text
    assert "0.00 requests/s" in text
    assert "2 workers at the store" in text
    assert "default/deepseek-flash" in text


def test_a_worker_that_does_not_answer_is_said_so():
    assert "does not answer" in "\n".join(
        lines(a_snapshot(WorkerView("http://w/metrics", reached=False)), rates(a_snapshot(), a_snapshot(), 1))
    )


def test_a_worker_that_takes_nothing_says_why():
    waits = a_worker(1, ready=False, why_not="The worker takes nothing: the store of REDIS_URL is away.")
    text = "\n".join(lines(a_snapshot(waits), rates(a_snapshot(), a_snapshot(), 1)))
    assert "w-1: The worker takes nothing: the store of REDIS_URL is away." in text


def test_calls_that_are_kept_back_are_said_with_what_happens_next():
    alone = Trouble("", "deepseek", "deepseek-flash", "", 48.2, 12.4)
    paused = Trouble("default", "", "", "insufficient_balance", 5.0, 0.0)
    text = "\n".join(
        lines(replace(a_snapshot(), troubles=[alone, paused]), rates(a_snapshot(), a_snapshot(), 1))
    )
    assert "deepseek-flash at deepseek is left alone for 48 s" in text
    assert "in 12 s one call tries" in text
    assert "account default is paused for 5 s, as DeepSeek says insufficient_balance" in text


def test_a_name_of_several_workers_is_a_page_for_each_and_one_of_one_keeps_its_name():
    page = "http://worker:9090/metrics"
    assert pages_at(page, {"10.0.0.2"}) == [page]
    assert pages_at(page, {"10.0.0.3", "10.0.0.2"}) == [
        "http://10.0.0.2:9090/metrics",
        "http://10.0.0.3:9090/metrics",
    ]
    assert pages_at("https://worker/metrics", {"10.0.0.3", "10.0.0.2"}) == ["https://worker/metrics"]


def test_a_program_gets_everything_and_the_sums():
    now = a_snapshot(a_worker(1, in_flight=2, oldest_s=3.0), a_worker(1, in_flight=1, oldest_s=9.0))
    said = document(now, rates(now, now, 1))
    assert (said["in_flight"], said["oldest_s"], said["lanes"][0]["ready"]) == (3, 9.0, 7)
