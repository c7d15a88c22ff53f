"""The checker must find what is wrong, and nothing where all is well."""

from typing import Any

from chaos import checker
from chaos.events import Event
from chaos.report import Report, Residue, lines

TEXTS = ("on", "e")


def check(events: list[Event], charged: int = 1, left_behind: tuple[str, ...] = (), dead: int = 0) -> Report:
    return checker.check(events, Residue(charged, list(left_behind), dead))


def published(request: str = "r") -> list[Event]:
    return [Event(0, "published", request), Event(1, "confirmed", request)]


def chunk(at: float, seq: int, attempt: int = 1, run: str = "a") -> Event:
    return Event(at, "chunk", "r", {"run": f"{run}:{attempt}", "seq": seq, "text": TEXTS[seq]})


def restarted(at: float, attempt: int, reason: str = "worker_lost") -> Event:
    return Event(at, "restarted", "r", {"attempt": attempt, "reason": reason})


def failed(at: float, code: str, **fields: Any) -> Event:
    return Event(at, "failure", "r", {"digest": "f", "code": code, "attempts": 1, **fields})


def killed(at: float, who: str) -> Event:
    return Event(at, "killed", "", {"who": who})


def result(at: float, **fields: Any) -> Event:
    known = {
        "digest": "d",
        "attempt": 1,
        "attempts": 1,
        "last_seq": 1,
        "degraded": False,
        "right": True,
        "streamed": True,
        "text": "".join(TEXTS),
    }
    return Event(at, "result", "r", known | fields)


STREAM = [chunk(2, 0), chunk(3, 1)]


def test_a_request_that_got_its_answer_violates_nothing():
    report = check([*published(), *STREAM, result(4)], charged=1)
    assert (report.violations, report.results, report.charged_per_end) == ([], 1, 1.0)


def test_a_confirmed_request_without_an_end_is_lost():
    assert check([*published(), *STREAM], charged=1).lost == ["r"]


def test_an_unconfirmed_request_without_an_end_is_no_loss_and_with_one_it_is_recovered():
    assert check([Event(0, "published", "r")], charged=0).violations == []
    assert check([Event(0, "published", "r"), *STREAM, result(4)], charged=1).recovered == 1


def test_two_different_ends_are_one_too_many_and_two_equal_ones_are_a_repetition():
    twice = [*published(), *STREAM, result(4), result(5)]
    assert (check(twice, charged=1).duplicated, check(twice, charged=1).repeated) == ([], 1)
    other = [*published(), *STREAM, result(4), result(5, digest="other")]
    assert check(other, charged=1).duplicated == ["r"]


def test_a_missing_chunk_is_a_gap_unless_the_result_says_degraded():
    missing = [*published(), chunk(2, 0)]
    assert check([*missing, result(4)], charged=1).gaps == ["r"]
    assert check([*missing, result(4, degraded=True)], charged=1).gaps == []


def test_chunks_out_of_order_are_a_gap_and_repeated_ones_are_not():
    assert check([*published(), chunk(2, 1), chunk(3, 0), result(4)], charged=1).gaps == ["r"]
    assert check([*published(), *STREAM, chunk(3.5, 1), result(4)], charged=1).gaps == []


def test_a_new_attempt_that_nobody_announced_is_glued_to_the_old_one():
    again = [chunk(5, 0, 2, "b"), chunk(6, 1, 2, "b"), result(7, attempt=2)]
    assert check([*published(), *STREAM, *again], charged=2).glued == ["r"]
    announced = check([*published(), *STREAM, restarted(4.5, 2), *again], charged=2)
    assert (announced.violations, announced.restarted) == ([], {"worker_lost": 1})


def test_a_wrong_text_a_stranger_and_a_leftover_are_each_told():
    stranger = Event(9, "result", "nobody-asked", {})
    report = check(
        [*published(), *STREAM, result(4, right=False), stranger], charged=1, left_behind=("q: 1",)
    )
    assert (report.wrong, report.residue.left_behind) == (["r"], ["q: 1"])
    assert report.unexpected == ["result for nobody-asked"]
    assert len(report.violations) == 3


def test_failures_are_counted_by_code_and_paid_attempts_by_end():
    report = check([*published(), failed(4, "upstream_timeout")], charged=3)
    assert (dict(report.failures), report.failure_share, report.charged_per_end) == (
        {"upstream_timeout": 1},
        1.0,
        3.0,
    )


def test_chunks_that_do_not_give_the_text_of_the_result_are_wrong():
    assert check([*published(), *STREAM, result(4, text="other")]).wrong == ["r"]


def test_a_cancel_is_an_end_where_it_was_asked_for_and_a_violation_where_not():
    wanted = check([*published(), Event(2, "cancel", "r"), failed(4, "cancelled")])
    assert (wanted.violations, wanted.cancelled, wanted.failure_share) == ([], 1, 0.0)
    assert check([*published(), failed(4, "cancelled")]).unexpected == ["cancelled without a cancel: r"]


def test_a_result_and_a_cancelled_failure_for_one_request_are_one_end_too_many():
    both = [*published(), *STREAM, Event(3, "cancel", "r"), result(4), failed(5, "cancelled")]
    assert check(both).duplicated == ["r"]


def test_a_request_that_was_published_twice_still_has_one_end():
    twice = [*published(), Event(1.5, "repeated", "r"), *STREAM, result(4), result(6)]
    assert check(twice).violations == []


def test_recovery_is_timed_from_the_kill_of_the_worker_that_streamed():
    begun = [*published(), Event(1.5, "accepted", "r", {"worker": "w"}), *STREAM]
    again = [chunk(6, 0, 2, "b"), chunk(7, 1, 2, "b"), result(8, attempt=2)]
    report = check([*begun, killed(3.2, "w"), restarted(5, 2), *again])
    assert [round(seconds, 3) for seconds in report.recovery_s] == [1.8]
    assert check([*begun, killed(3.2, "other"), restarted(5, 2), *again]).recovery_s == []
    assert check([*begun, killed(0.5, "w"), restarted(5, 2, "upstream"), *again]).recovery_s == []


def test_a_dead_letter_needs_a_crash_loop_that_explains_it():
    assert len(check([*published(), *STREAM, result(4)], dead=1).violations) == 1
    assert check([*published(), failed(4, "crash_loop")], dead=1).violations == []


def test_the_printed_report_names_each_violation():
    report = check([*published(), *STREAM])
    assert "VIOLATION lost: 1, as r" in lines(report, ["a worker killed"])
    assert lines(check([*published(), *STREAM, result(4)]), [])[-1] == "every promise was kept"
