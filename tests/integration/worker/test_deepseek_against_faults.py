"""The client against a DeepSeek that fails in every way it knows."""

from contextlib import aclosing
from typing import Any

import pytest

from fleet_contracts.codes import ErrorCode
from fleet_simulator import Fault, Kind, Running, expected_text
from fleet_worker.completion import CompletionError, Delta
from fleet_worker.deepseek import Clocks, DeepSeek
from harness.deepseek_calls import NO_THINKING, chat, client_of, failed, joined
from harness.upstream import soon

SHORT = 0.5


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.EOF_WITHOUT_DONE),
        Fault(Kind.CLOSE),
        Fault(Kind.RESET),
        Fault(Kind.CLOSE, after_chunks=0),
        Fault(Kind.RESET, after_chunks=0),
        Fault(Kind.ERROR_IN_STREAM, after_chunks=5),
        Fault(Kind.FINISH_REASON, finish_reason="insufficient_system_resource"),
        Fault(Kind.FINISH_REASON, finish_reason="aborted", after_chunks=5),
        Fault(Kind.BROKEN_UTF8, after_chunks=150),
    ],
    ids=lambda fault: f"{fault.kind.value}-{fault.after_chunks}",
)
async def test_an_answer_that_breaks_keeps_its_text_and_may_be_asked_again(
    simulator: Running, deepseek: DeepSeek, fault: Fault
) -> None:
    simulator.inject(fault)
    request, deltas = chat(), list[Delta]()
    with pytest.raises(CompletionError) as error:
        await deepseek.complete(request, soon(), deltas.append)
    assert (error.value.code, error.value.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)
    sent = {name: joined(deltas, name) for name in ("content", "reasoning_content")}
    assert error.value.partial == {name: text for name, text in sent.items() if text}
    reasoning, content = expected_text(request.body)
    assert reasoning.startswith(sent["reasoning_content"])
    assert content.startswith(sent["content"])


@pytest.mark.parametrize("kind", [Kind.EOF_WITHOUT_DONE, Kind.CLOSE, Kind.RESET, Kind.FINISH_REASON])
async def test_an_unstreamed_answer_that_breaks_may_be_asked_again(
    simulator: Running, deepseek: DeepSeek, kind: Kind
) -> None:
    simulator.inject(Fault(kind))
    error = await failed(deepseek, chat(stream=False))
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)


async def test_blank_json_may_be_asked_again(simulator: Running, deepseek: DeepSeek) -> None:
    simulator.inject(Fault(Kind.BLANK_CONTENT))
    asked: dict[str, Any] = {"response_format": {"type": "json_object"}, **NO_THINKING}
    for stream in (True, False):
        error = await failed(deepseek, chat("As json: who?", **asked, stream=stream))
        assert (error.code, error.again) == (ErrorCode.UPSTREAM_INTERRUPTED, True)


@pytest.mark.parametrize(
    ("fault", "clock", "clocks"),
    [
        (Fault(Kind.HANG_BEFORE_HEADERS), "headers", Clocks(headers_s=SHORT)),
        (Fault(Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN), "first content", Clocks(first_content_s=SHORT)),
        (Fault(Kind.STALL, after_chunks=1), "first content", Clocks(first_content_s=SHORT)),
        (Fault(Kind.STALL, after_chunks=5), "gap", Clocks(gap_s=SHORT)),
        (Fault(Kind.KEEP_ALIVES_AFTER_LAST_TOKEN, after_chunks=20), "gap", Clocks(gap_s=SHORT)),
        (Fault(Kind.STALL), "after finish", Clocks(after_finish_s=SHORT)),
        (Fault(Kind.PACE, tokens_per_second=20), "total", Clocks(total_s=SHORT)),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else None,
)
async def test_a_silent_upstream_is_left_when_its_clock_rings(
    simulator: Running, fault: Fault, clock: str, clocks: Clocks
) -> None:
    simulator.inject(fault)
    async with aclosing(client_of(simulator, clocks)) as deepseek:
        error = await failed(deepseek)
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_TIMEOUT, True)
    assert f"the {clock} clock" in str(error)
    await simulator.log.wait_for(lambda event: event.kind == "closed", within=20)


async def test_endless_blank_lines_before_an_unstreamed_answer_are_ended_by_the_total_clock(
    simulator: Running,
) -> None:
    simulator.inject(Fault(Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN))
    async with aclosing(client_of(simulator, Clocks(first_content_s=0.01, total_s=SHORT))) as deepseek:
        error = await failed(deepseek, chat(stream=False))
    assert "the total clock" in str(error)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ErrorCode.UPSTREAM_REJECTED),
        (402, ErrorCode.INSUFFICIENT_BALANCE),
        (422, ErrorCode.UPSTREAM_REJECTED),
        (429, ErrorCode.RATE_LIMITED),
        (500, ErrorCode.UPSTREAM_UNAVAILABLE),
        (503, ErrorCode.UPSTREAM_UNAVAILABLE),
    ],
)
async def test_every_refusal_of_the_api_has_its_code(
    simulator: Running, deepseek: DeepSeek, status: int, code: ErrorCode
) -> None:
    simulator.inject(Fault(Kind.STATUS, status=status, retry_after="2"))
    error = await failed(deepseek)
    assert (error.code, error.retry_after_s) == (code, 2.0)
    assert error.upstream is not None
    assert error.upstream.status == status
    assert error.upstream.type is not None
    assert error.upstream.message


async def test_an_unknown_key_is_unauthorized(simulator: Running) -> None:
    async with aclosing(client_of(simulator, key="sk-nobody")) as deepseek:
        error = await failed(deepseek)
    assert (error.code, error.again) == (ErrorCode.UNAUTHORIZED, False)


async def test_the_limit_of_an_account_is_read_from_its_429(deepseek: DeepSeek, simulator: Running) -> None:
    simulator.simulator.configure(limits={"deepseek-flash": 0, "deepseek-v4-pro": 0})
    error = await failed(deepseek)
    assert error.code is ErrorCode.RATE_LIMITED
    assert error.upstream is not None
    assert "limit of 0" in (error.upstream.message or "")
