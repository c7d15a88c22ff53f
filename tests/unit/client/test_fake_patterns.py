"""The fake's topic exchange takes what RabbitMQ's takes."""

import pytest

from fleet_client.testing.queues import matches


@pytest.mark.parametrize(
    ("pattern", "key", "is_taken"),
    [
        ("#", "result.billing.deepseek-flash", True),
        ("result.#", "result.billing.deepseek-flash", True),
        ("result.#", "result", True),
        ("result.#", "results.billing", False),
        ("#.deepseek-flash", "result.billing.deepseek-flash", True),
        ("#.deepseek-flash", "deepseek-flash", True),
        ("result.*.deepseek-flash", "result.billing.deepseek-flash", True),
        ("result.*.deepseek-flash", "result.deepseek-flash", False),
        ("result.*", "result.billing.deepseek-flash", False),
        ("*.billing.#", "failure.billing.deepseek-v4-pro", True),
        ("*.billing.#", "failure.refunds.deepseek-v4-pro", False),
        ("r.sult.#", "r.sult.x", True),
        ("r.sult.#", "resultx.x", False),
    ],
)
def test_a_pattern_takes_what_rabbitmq_takes(pattern: str, key: str, is_taken: bool) -> None:
    assert matches(pattern, key) is is_taken
