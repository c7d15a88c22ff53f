"""The chart's autoscaling neither flaps, nor kills busy workers, nor scales into the limit."""

import math

import pytest

from harness.scaling import LOADS, PICTURE, SCALED, rules_in
from harness.scaling_picture import picture
from model.autoscaling import Course, played

RULES = rules_in(SCALED)
TURNS = {"calm": 0, "a day in two hours": 2, "a burst": 1, "noise": 0, "a backlog": 1, "slow answers": 1}
"""How often the number of workers may go down after it went up: once where the load has gone for good."""

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
def test_no_worker_is_started_that_the_limit_would_let_do_nothing(courses: dict[str, Course], name: str):
    useful = math.ceil(LOADS[name].limit / RULES.target)
    assert max(courses[name].workers) <= max(RULES.least, useful)


def test_a_backlog_is_worked_off_as_fast_as_the_limit_lets_it(courses: dict[str, Course]):
    limit, course = LOADS["a backlog"].limit, courses["a backlog"]
    first = next(at for at, running in enumerate(course.running) if running >= 0.95 * limit)
    emptied = next(at for at, waiting in enumerate(course.waiting) if at > first and waiting < limit)
    assert first <= 180
    assert sum(course.running[first:emptied]) / (emptied - first) >= 0.97 * limit


def test_when_a_burst_is_over_the_fewest_workers_are_left(courses: dict[str, Course]):
    assert courses["a burst"].workers[-1] == RULES.least


def test_the_picture_shows_what_this_model_says(courses: dict[str, Course]):
    assert picture(courses, RULES.target) == PICTURE.read_text(), "draw it anew: make chart"
