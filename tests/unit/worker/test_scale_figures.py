"""For how many calls workers would be useful, by how the limiter's pools stand."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.limiter.scaling import Standing, figures

pools = st.builds(
    Standing, limit=st.integers(0, 3000), in_flight=st.integers(0, 3000), waiting=st.integers(0, 500)
)


@given(st.lists(pools, max_size=5))
def test_no_worker_is_useful_beyond_what_the_limiter_grants(standing: list[Standing]):
    told = figures(standing)
    assert told["useful"] <= told["limit"]


@given(pools)
def test_whoever_takes_workers_away_by_it_leaves_room_for_all_that_runs(pool: Standing):
    assert pool.useful >= min(pool.in_flight, pool.limit)


def test_a_full_pool_borrows_nothing_of_an_idle_ones_limit():
    full, hardly_used = Standing(500, 500, 40), Standing(2500, 10, 0)
    assert figures([full, hardly_used])["useful"] == 500 + 20


def test_a_pool_that_a_rate_holds_back_asks_for_a_quarter_more_at_most():
    assert Standing(2500, 100, 30).useful == 125


def test_a_pool_in_which_nobody_waits_may_double_up_to_its_limit():
    assert Standing(2500, 100, 0).useful == 200
    assert Standing(150, 100, 0).useful == 150
