"""What breaks, and when."""

from chaos.plan import Plan, Trouble

CALM = Plan(
    requests=100,
    rate=1,
    kill_every_s=0,
    broker_restarts=0,
    store_restarts=0,
    resets=0,
    blackholes=0,
    delays=0,
    store_resets=0,
    store_blackholes=0,
    stops=0,
)


def test_one_seed_gives_one_plan_and_another_seed_another():
    assert Plan(seed=3).troubles() == Plan(seed=3).troubles()
    assert Plan(seed=3).troubles() != Plan(seed=4).troubles()


def test_nothing_breaks_where_everything_is_switched_off():
    assert CALM.troubles() == []


def test_every_trouble_begins_while_requests_are_published_and_as_often_as_wanted():
    plan = Plan(requests=1000, rate=10, kill_every_s=7, broker_restarts=3, stops=4)
    due = plan.troubles()
    assert all(0 < at_s <= plan.lasts_s for at_s, _ in due)
    assert [at_s for at_s, _ in due] == sorted(at_s for at_s, _ in due)
    counts = [trouble for _, trouble in due]
    assert counts.count(Trouble.KILL) == 14
    assert counts.count(Trouble.BROKER_RESTART) == 3
    assert counts.count(Trouble.STOP) == 4
