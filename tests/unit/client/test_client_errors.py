"""Every code of the wire has a class, and no error shows a prompt."""

import pickle

import pytest

from fleet_client.errors import CLASSES, FleetError, Internal, NoReply, NotDelivered, error_from
from fleet_client.reading import read
from fleet_contracts import ErrorCode, Failure
from harness import replies as wire


def a_failure(code: str) -> Failure:
    received = read(wire.encoded(wire.failure("c-1", code, upstream={"status": 429, "message": "slow down"})))
    assert received is not None
    assert isinstance(received.reply, Failure)
    return received.reply


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_becomes_an_error_of_its_own_class(code: ErrorCode) -> None:
    error = error_from(a_failure(code), "c-1")
    assert type(error) is CLASSES[code]
    assert error.code is code
    assert (error.correlation_id, error.attempts, error.retryable) == ("c-1", 1, False)
    assert error.upstream is not None
    assert error.upstream.status == 429


def test_no_two_codes_share_a_class() -> None:
    assert len(set(CLASSES.values())) == len(ErrorCode)


def test_a_code_from_next_year_is_internal_and_named() -> None:
    error = error_from(a_failure("sunspots"), "c-1")
    assert type(error) is Internal
    assert "sunspots" in str(error)


def test_an_error_made_here_knows_whether_asking_again_helps() -> None:
    assert NoReply("too late").retryable
    assert NotDelivered("no broker").retryable


def test_an_error_says_code_advice_and_request() -> None:
    error = FleetError("Do this.", correlation_id="c-9")
    assert str(error) == "internal: Do this. (request c-9)"


def test_an_error_can_be_sent_to_another_process() -> None:
    error = error_from(a_failure("rate_limited"), "c-1")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes
    assert (type(copy), str(copy), copy.upstream) == (type(error), str(error), error.upstream)


def test_a_result_that_breaks_the_contract_is_told_instead_of_ignored() -> None:
    received = read(wire.encoded({"kind": "result", "id": "c-1:final", "response": "text"}))
    assert received is not None
    assert isinstance(received.reply, Failure)
    assert received.reply.code is ErrorCode.INTERNAL
