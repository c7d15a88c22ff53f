"""The chart's autoscaling neither flaps, nor kills busy workers, nor scales into the limit."""

import math

import pytest

from harness.scaling import LOADS, PICTURE, SCALED, recorded, rules_in, the_recorded_one, workers_of
from harness.scaling_picture import picture
from model.autoscaling import LOOK_S, Course, played, played_by

RULES = rules_in(SCALED)
TURNS = {
    "calm": 0,
    "a day in two hours": 2,
    "a burst": 1,
    "noise": 0,
    "a backlog": 1,
    "slow answers": 1,
    "a full model, an idle one": 1,
    "a rate": 0,
    "the store away": 1,
    "as recorded, times 15": 1,
}
"""How often the number of workers may go down after it went up: once where the load has gone for good."""
SPARE = 1.25
"""A limit of rates is felt when it is reached: so much more may have been started by then."""

every_load = pytest.mark.parametrize("name", LOADS)


@pytest.fixture(scope="module")
def courses() -> dict[str, Course]:
    return {name: played(RULES, load) for name, load in LOADS.items()}


@every_load
def test_no_call_is_cut_off_by_a_worker_that_is_taken_away(courses: dict[str, Course], name: str):
    assert courses[name].cut == 0


@every_load
def test_the_number_of_workers_does_not_go_up_and_down_again_and_again(courses: dict[str, Course], name: str):
    assert courses[name].turns() <= TURNS[name]


@every_load
def test_no_worker_is_started_that_a_limit_would_let_do_nothing(courses: dict[str, Course], name: str):
    most = max(courses[name].workers)
    assert most <= max(RULES.least, math.ceil(LOADS[name].limit / RULES.target))
    assert most <= max(RULES.least, math.ceil(SPARE * max(courses[name].running) / RULES.target))


def test_a_backlog_is_worked_off_as_fast_as_the_limit_lets_it(courses: dict[str, Course]):
    limit, course = LOADS["a backlog"].limit, courses["a backlog"]
    first = next(at for at, running in enumerate(course.running) if running >= 0.95 * limit)
    emptied = next(at for at, waiting in enumerate(course.waiting) if at > first and waiting < limit)
    assert first <= 180
    assert sum(course.running[first:emptied]) / (emptied - first) >= 0.97 * limit


def test_when_a_burst_is_over_the_fewest_workers_are_left(courses: dict[str, Course]):
    assert courses["a burst"].workers[-1] == RULES.least


def test_while_nobody_knows_a_figure_no_worker_is_started_and_none_taken_away(courses: dict[str, Course]):
    away = LOADS["the store away"].store_away
    found = set(courses["the store away"].workers[away.start - 1 : away.stop - LOOK_S])
    assert len(found) == 1
    assert found != {RULES.least}


def test_the_model_makes_of_the_recorded_load_what_real_workers_made_of_it():
    record = recorded()
    kind = workers_of(record["concurrency"], RULES.workers.grace_s)
    told = played_by(record["workers"], kind, the_recorded_one())
    peak = max(record["open"])
    wrong = [abs(said - was) for said, was in zip(told.open, record["open"], strict=True)]
    assert sum(wrong) / len(wrong) <= 0.1 * peak
    assert max(told.open) == pytest.approx(peak, rel=0.15)
    assert max(told.running) == max(record["in_flight"]) == record["workers"] * record["concurrency"]


def test_real_workers_told_what_the_model_takes_them_to_tell():
    record = recorded()
    for in_flight, useful in zip(record["in_flight"], record["useful"], strict=True):
        assert min(in_flight, 2500) <= useful <= 2 * in_flight


def test_the_picture_shows_what_this_model_says(courses: dict[str, Course]):
    assert picture(courses, RULES.target) == PICTURE.read_text(), "draw it anew: make chart"
