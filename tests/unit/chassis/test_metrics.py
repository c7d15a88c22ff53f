"""What counts finds its series fast; what shows a state may take one away."""

from prometheus_client import Counter, Gauge, Histogram

from fleet_chassis.metrics import Registry


def test_known_labels_find_the_same_series_of_what_counts():
    registry = Registry()
    calls = Counter("calls", "Calls", ["model", "code"], registry=registry)
    seconds = Histogram("seconds", "Seconds", ["model"], registry=registry)
    for _ in range(3):
        calls.labels("flash", "ok").inc()
        seconds.labels("flash").observe(0.5)
    calls.labels(model="flash", code="ok").inc()
    calls.labels("flash", "failed").inc()
    assert registry.get_sample_value("calls_total", {"model": "flash", "code": "ok"}) == 4
    assert registry.get_sample_value("calls_total", {"model": "flash", "code": "failed"}) == 1
    assert registry.get_sample_value("seconds_count", {"model": "flash"}) == 3


def test_a_series_of_a_gauge_that_was_taken_away_begins_anew():
    registry = Registry()
    paused = Gauge("paused", "Accounts", ["account"], registry=registry)
    paused.labels("main").set(1)
    paused.remove("main")
    assert registry.get_sample_value("paused", {"account": "main"}) is None
    paused.labels("main").set(2)
    assert registry.get_sample_value("paused", {"account": "main"}) == 2
