"""One upstream call, without a socket: every refusal has one error, and no error holds a secret."""

import logging

import httpx
import pytest

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from harness.clock import HandClock
from harness.requests import a_request
from harness.upstream import (
    KEY,
    Body,
    Step,
    Upstream,
    chat_stream,
    failed,
    soon,
)


def streaming(*steps: Step) -> Upstream:
    return Upstream(Body(*steps), headers={"x-ds-trace-id": "trace-1"})


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (204, ErrorCode.UPSTREAM_UNAVAILABLE, True),
        (301, ErrorCode.UPSTREAM_UNAVAILABLE, False),
        (307, ErrorCode.UPSTREAM_UNAVAILABLE, False),
        (400, ErrorCode.UPSTREAM_REJECTED, False),
        (401, ErrorCode.UNAUTHORIZED, False),
        (402, ErrorCode.INSUFFICIENT_BALANCE, False),
        (403, ErrorCode.UPSTREAM_REJECTED, False),
        (404, ErrorCode.UPSTREAM_REJECTED, False),
        (408, ErrorCode.UPSTREAM_UNAVAILABLE, True),
        (413, ErrorCode.TOO_LARGE, False),
        (418, ErrorCode.UPSTREAM_REJECTED, False),
        (422, ErrorCode.UPSTREAM_REJECTED, False),
        (429, ErrorCode.RATE_LIMITED, True),
        (500, ErrorCode.UPSTREAM_UNAVAILABLE, True),
        (503, ErrorCode.UPSTREAM_UNAVAILABLE, True),
        (529, ErrorCode.UPSTREAM_UNAVAILABLE, True),
    ],
)
async def test_every_status_has_one_code(status: int, code: ErrorCode, again: bool) -> None:
    headers = {"x-ds-trace-id": "trace-1", "location": "https://elsewhere.test/"}
    upstream = Upstream(Body(b'{"error":{"message":"m","type":"t"}}'), status, headers)
    error = await failed(upstream)
    assert (error.code, error.again) == (code, again)
    assert str(status) in error.message
    assert error.upstream is not None
    assert (error.upstream.status, error.upstream.type, error.upstream.trace_id) == (status, "t", "trace-1")
    assert len(upstream.calls) == 1


async def test_the_plain_text_of_the_edge_is_read() -> None:
    error = await failed(Upstream(Body(b"Not here (governor)"), 404))
    assert error.upstream is not None
    assert error.upstream.message == "Not here (governor)"


async def test_json_labelled_as_octets_is_read() -> None:
    body = b'{"error":{"message":"Invalid max_tokens value","type":"invalid_request_error"}}'
    error = await failed(Upstream(Body(body), 400, {"content-type": "application/octet-stream"}))
    assert error.upstream is not None
    assert error.upstream.message == "Invalid max_tokens value"


async def test_a_prompt_that_the_upstream_quotes_stays_out_of_the_error_s_text() -> None:
    error = await failed(Upstream(Body(b'{"error":{"message":"bad: my secret prompt"}}'), 422))
    assert error.upstream is not None
    assert error.upstream.message == "bad: my secret prompt"
    assert "secret" not in str(error)


async def test_a_tenant_is_not_told_what_the_upstream_says_of_the_fleets_key() -> None:
    error = await failed(Upstream(Body(b"Authentication Fails, Your api key: ****0000 is invalid"), 401))
    assert error.upstream is not None
    assert error.upstream.message is None


async def test_a_key_that_the_upstream_repeats_is_hidden() -> None:
    error = await failed(Upstream(Body(f"the key {KEY} is wrong".encode()), 400))
    assert error.upstream is not None
    assert error.upstream.message == "the key *** is wrong"


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("Wed, 18 Nov 2026 11:07:00 GMT", 20.0), ("x", None)]
)
async def test_retry_after_is_handed_on_in_seconds(value: str, seconds: float | None) -> None:
    clock = HandClock()
    client = Upstream(status=429, headers={"retry-after": value}).client(clock=clock)
    with pytest.raises(CompletionError) as error:
        await client.complete(a_request(deadline_ms=None), soon(clock=clock), lambda _: None)
    assert error.value.code is ErrorCode.RATE_LIMITED
    assert error.value.retry_after_s == seconds


async def test_an_error_body_is_read_only_so_far() -> None:
    upstream = Upstream(Body(forever=b"x" * 30_000), status=500)
    error = await failed(upstream)
    assert error.code is ErrorCode.UPSTREAM_UNAVAILABLE
    assert upstream.body.closed


async def test_an_error_body_that_breaks_off_still_gives_the_status() -> None:
    error = await failed(Upstream(Body(b'{"err', httpx.ReadError("reset")), status=402))
    assert error.code is ErrorCode.INSUFFICIENT_BALANCE


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("no"), httpx.RemoteProtocolError("lost"), httpx.ReadError("")]
)
async def test_an_upstream_that_can_not_be_reached_is_unavailable(failure: Exception) -> None:
    async def fail() -> None:
        raise failure

    error = await failed(Upstream(before=fail))
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_UNAVAILABLE, True)
    assert error.__cause__ is failure


async def test_a_connection_that_takes_too_long_is_named_by_its_clock() -> None:
    async def fail() -> None:
        raise httpx.ConnectTimeout("slow")

    error = await failed(Upstream(before=fail))
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_TIMEOUT, True)
    assert "the connect clock of 10 s" in str(error)


async def test_no_text_reaches_the_log_or_the_chain_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error: BaseException | None = await failed(streaming(*chat_stream()[:2], b"data: {my secret\n\n"))
    while error is not None:
        assert "secret" not in f"{error} {error.args} {getattr(error, 'doc', '')}"
        error = error.__cause__ or error.__context__
    assert "secret" not in caplog.text
    assert KEY not in caplog.text
