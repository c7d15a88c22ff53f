"""The closed set of codes."""

from fleet_contracts.codes import EXPLANATIONS, ErrorCode
from fleet_contracts.reply import Failure


def test_every_code_is_explained_in_sentences():
    assert list(EXPLANATIONS) == list(ErrorCode)
    for told in EXPLANATIONS.values():
        assert told.meaning.endswith(".")
        assert told.advice.endswith(".")


def test_no_explanation_breaks_the_table_that_is_printed_from_it():
    assert [told for told in EXPLANATIONS.values() if "|" in told.meaning + told.advice] == []


def test_what_the_caller_must_change_first_is_not_called_retryable():
    assert not ErrorCode.INVALID_REQUEST.retryable
    assert not ErrorCode.UPSTREAM_REJECTED.retryable
    assert ErrorCode.RATE_LIMITED.retryable


def test_a_failure_is_read_whatever_a_later_release_adds_to_it():
    read = Failure.model_validate(
        {
            "kind": "failure",
            "id": "a:final",
            "code": "internal",
            "message": "m",
            "retryable": True,
            "attempts": 1,
            "a_field_of_next_year": {},
        }
    )
    assert read.code is ErrorCode.INTERNAL
