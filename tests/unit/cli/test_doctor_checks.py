import pytest

from fleet_cli.doctor import queues
from fleet_cli.doctor.asker import Counts, Differs, Forbidden, Missing, Same
from fleet_cli.doctor.check import Check, State, failed, fine, is_fine, report, skipped, warning
from fleet_cli.doctor.topology import judged
from fleet_cli.doctor.upstream import left, low_of, served, skew
from fleet_contracts.topology import CONTROL_CANCELS, DEAD_RAW, REQUESTS, REQUESTS_BATCH, REQUESTS_DEAD
from fleet_worker.deepseek.probe import Balance, Models

UNEQUAL = (
    "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'deepseek.requests' in vhost '/': "
    "received the value '1000000' of type 'signedint' but current is the value '5' of type 'signedint'"
)
EVERY_QUEUE = {*queues.CONSUMED, *queues.PARKED, *queues.DEAD_LETTERS}


def known(**changes: Counts) -> dict[str, Counts]:
    named = {
        "requests": REQUESTS,
        "batch": REQUESTS_BATCH,
        "cancels": CONTROL_CANCELS,
        "dead": REQUESTS_DEAD,
        "raw": DEAD_RAW,
    }
    found = dict.fromkeys(EVERY_QUEUE, Counts(0, 1))
    return found | {named[word]: counts for word, counts in changes.items()}


def test_a_check_is_one_line_with_its_sign_and_what_to_do():
    lines = [
        each.line()
        for each in (
            fine("a", "is"),
            warning("b", "odd", "look"),
            failed("c", "not", "do"),
            skipped("d", "why"),
        )
    ]
    assert lines == ["✓ a: is", "! b: odd; look", "✗ c: not; do", "- d: why"]


def test_only_a_failed_check_is_a_failure():
    harmless = [fine("a", ""), warning("b", "", ""), skipped("c", "")]
    assert is_fine(harmless)
    assert not is_fine([*harmless, failed("d", "")])
    assert report([failed("d", "gone", "find it")]) == {
        "fine": False,
        "checks": [{"name": "d", "state": "failed", "found": "gone", "advice": "find it"}],
    }


def test_an_argument_that_differs_is_named_with_both_values():
    check = judged({"queue deepseek.requests": Differs(UNEQUAL), "queue x": Missing(), "queue y": Same()})
    assert check.state is State.FAILED
    assert "queue deepseek.requests has x-max-length the value '5'" in check.found
    assert "the contract says the value '1000000'" in check.found
    assert "fleet topology apply" in check.advice


def test_words_of_the_broker_that_are_new_still_name_the_queue():
    assert judged({"queue x": Differs("no")}).found == "queue x has other arguments than the contract"


def test_missing_parts_are_named_as_far_as_fits_on_a_line():
    check = judged({f"queue {number}": Missing() for number in range(5)})
    assert check.found == "missing: queue 0, queue 1, queue 2 and 2 more"
    assert check.advice == "run `fleet topology apply`"


def test_what_this_user_may_not_ask_about_is_no_failure():
    assert judged({"queue x": Forbidden(), "queue y": Same()}).state is State.WARNING


def test_a_topology_as_in_the_contract_is_fine():
    assert judged({"queue x": Same()}).state is State.FINE


def test_a_request_queue_without_a_consumer_asks_for_a_worker():
    check = queues.consumers(known(batch=Counts(0, 0)))
    assert check.state is State.FAILED
    assert check.found == "nobody serves deepseek.requests.batch"
    assert "fleet worker" in check.advice


def test_cancels_that_nobody_reads_are_found():
    check = queues.consumers(known(cancels=Counts(3, 0)))
    assert (check.state, check.found) == (State.FAILED, f"nobody serves {CONTROL_CANCELS}")


def test_a_backlog_is_counted_and_is_no_failure():
    check = queues.backlog(known(requests=Counts(70, 1)))
    assert check.state is State.FINE
    assert "70 in deepseek.requests," in check.found


@pytest.mark.parametrize("where", ["dead", "raw"])
def test_a_dead_letter_in_either_queue_is_a_warning(where: str):
    assert queues.dead_letters(known()).state is State.FINE
    assert queues.dead_letters(known(**{where: Counts(1, 0)})).state is State.WARNING


def test_counts_that_could_not_be_had_are_left_open():
    checks = [queues.consumers({}), queues.backlog({}), queues.dead_letters({})]
    assert all(check.state is State.SKIPPED for check in checks)


@pytest.mark.parametrize(
    ("ahead_s", "state"),
    [
        (0.0, State.FINE),
        (-2.0, State.FINE),
        (2.1, State.WARNING),
        (-7.0, State.WARNING),
        (None, State.SKIPPED),
    ],
)
def test_a_clock_that_is_more_than_two_seconds_off_is_a_warning(ahead_s: float | None, state: State):
    assert skew(ahead_s).state is state


def test_the_side_on_which_a_clock_is_wrong_is_told():
    assert "5 s ahead of" in skew(5.0).found
    assert "5 s behind" in skew(-5.0).found


def test_models_prove_the_key_and_are_said_to_prove_no_health():
    check = served("https://x", Models(("deepseek-flash",), 12, None))
    assert check.state is State.FINE
    assert "deepseek-flash" in check.found
    assert "no proof" in check.found


def test_an_address_that_names_no_models_is_doubted():
    assert served("https://x", Models((), 12, None)).state is State.WARNING


def test_an_empty_account_is_a_failure():
    check: Check = left(Balance(available=False, amounts=("0.00 CNY",)), 5)
    assert check.state is State.FAILED
    assert "0.00 CNY" in check.found
    assert left(Balance(available=True, amounts=("40.00 CNY",)), 5).state is State.FINE


def test_a_low_balance_is_a_warning_that_says_what_it_does():
    check = left(Balance(available=True, amounts=("20.00 CNY",)), 5)
    assert check.state is State.WARNING
    assert "less than the 5 US dollars of FLEET_BALANCE_LOW" in check.found
    assert "the fewer calls" in check.advice
    assert (low_of({"FLEET_BALANCE_LOW": "2.5"}), low_of({}), low_of({"FLEET_BALANCE_LOW": "x"})) == (
        2.5,
        5,
        5,
    )
