"""What is logged of a call that failed."""

from typing import Any
from unittest.mock import Mock

from prometheus_client import CollectorRegistry

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.observing import Observer


def test_a_failed_attempt_names_the_class_of_its_cause_and_none_of_its_text():
    log: Any = Mock()
    error = CompletionError(ErrorCode.UPSTREAM_UNAVAILABLE, "It hung up.", again=True)
    error.__cause__ = ConnectionRefusedError("CANARY")
    Observer(CollectorRegistry(), log).failed(error, "default")
    log.warning.assert_called_once()
    assert log.warning.call_args.kwargs["cause"] == "ConnectionRefusedError"
    assert "CANARY" not in repr(log.mock_calls)
