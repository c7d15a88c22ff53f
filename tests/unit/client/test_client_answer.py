"""What a call returns, and what may be logged of it."""

from fleet_client.answer import Answer, answer_from
from fleet_client.reading import read
from fleet_contracts import Result
from harness import replies as wire


def an_answer(reply: wire.Json) -> Answer:
    received = read(wire.encoded(reply))
    assert received is not None
    assert isinstance(received.reply, Result)
    return answer_from(received.reply, received.response, "c-1")


def test_an_answer_carries_all_that_the_fleet_knows() -> None:
    answer = an_answer(wire.result("c-1", "hi", reasoning="hm", attempt=2, degraded=True))
    assert (answer.id, answer.text, answer.reasoning) == ("c-1", "hi", "hm")
    assert (answer.finish_reason, answer.attempts, answer.degraded) == ("stop", 2, True)
    assert answer.usage is not None
    assert answer.usage.total_tokens == 12
    assert answer.cost is not None
    assert answer.cost.amount == "0.000123"
    assert answer.timings.total_ms == 5


def test_deepseeks_own_object_is_kept_untouched() -> None:
    reply = wire.result("c-1", "hi")
    assert an_answer(reply).response == reply["response"]


def test_printing_an_answer_shows_its_text_and_logging_it_does_not() -> None:
    answer = an_answer(wire.result("c-1", "private words", reasoning="private thoughts"))
    assert str(answer) == "private words"
    assert "private" not in repr(answer)


def test_a_text_completion_is_an_answer_too() -> None:
    answer = an_answer(wire.fim_result("c-1", "middle"))
    assert (answer.text, answer.reasoning, answer.tool_calls) == ("middle", "", ())
