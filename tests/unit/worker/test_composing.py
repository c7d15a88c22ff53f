import hashlib
import json
from typing import Any

from pydantic import TypeAdapter

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import MAX_REPLY_BYTES
from fleet_contracts.reply import Reply, Result
from fleet_worker.completion import Completion, CompletionError, Delta, UpstreamAnswer
from fleet_worker.composing import (
    Took,
    compose_accepted,
    compose_chunk,
    compose_failure,
    compose_refusal,
    compose_restarted,
    compose_result,
)
from fleet_worker.ports import Sent
from harness.requests import a_request, a_response

COST = {"amount": "0.0012", "currency": "USD", "estimated": False}
TOOK = Took(permit_ms=3, total_ms=500)
REPLY: TypeAdapter[Any] = TypeAdapter(Reply)


def a_result(response: dict[str, Any], attempts: int = 1) -> dict[str, Any]:
    completion = Completion(response, trace_id="t", first_content_ms=120, upstream_ms=400, cost=COST)
    terminal = compose_result(a_request(queued_ms=7), completion, Sent(4, degraded=False), attempts, TOOK)
    body = json.loads(terminal.body)
    REPLY.validate_python(body)
    assert terminal.fleet_id == body["id"]
    return body


def test_a_result_holds_everything_a_reader_needs_without_its_chunks():
    body = a_result(a_response("Hi"), attempts=2)
    assert body["id"] == "c-1:final"
    assert (body["attempt"], body["attempts"], body["last_seq"], body["degraded"]) == (2, 2, 4, False)
    assert body["response"]["choices"][0]["message"]["content"] == "Hi"
    assert body["digests"] == {"content": hashlib.sha256(b"Hi").hexdigest()}
    assert body["timings"] == {
        "queued_ms": 7,
        "permit_ms": 3,
        "first_content_ms": 120,
        "upstream_ms": 400,
        "total_ms": 500,
    }
    assert Result.model_validate(body).cost is not None


def test_every_text_field_has_a_digest():
    calls = [{"id": "call_00_x", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    digests = a_result(a_response("é", reasoning_content="漢", tool_calls=calls))["digests"]
    assert digests == {
        "content": hashlib.sha256("é".encode()).hexdigest(),
        "reasoning_content": hashlib.sha256("漢".encode()).hexdigest(),
        "tool_calls.0.arguments": hashlib.sha256(b'{"a":1}').hexdigest(),
    }


def test_an_answer_that_no_reply_can_carry_ends_as_too_large_with_its_digest():
    text = "x" * (MAX_REPLY_BYTES + 1)
    body = a_result(a_response(text))
    assert (body["kind"], body["code"]) == ("failure", "too_large")
    assert hashlib.sha256(text.encode()).hexdigest() in body["message"]


def test_a_failure_leaves_partial_text_out_that_no_reply_can_carry():
    # Each of these characters takes six bytes in JSON, so the text fits and the reply does not.
    partial = {"content": "\x01" * (MAX_REPLY_BYTES // 4)}
    error = CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, "cut", again=True, partial=partial)
    terminal = compose_failure(a_request(), error, 1)
    assert len(terminal.body) < MAX_REPLY_BYTES
    assert json.loads(terminal.body)["partial"] is None


def test_a_failure_says_what_happened_what_to_do_and_what_the_upstream_said():
    error = CompletionError(
        ErrorCode.UPSTREAM_REJECTED,
        "DeepSeek refused the request (400): correct what upstream.message names",
        again=False,
        upstream=UpstreamAnswer(400, "invalid_request_error", "Invalid max_tokens value", "abc"),
        partial={"content": "half"},
    )
    body = json.loads(compose_failure(a_request(retry=2), error, attempts=1).body)
    REPLY.validate_python(body)
    assert body["id"] == "c-1~2:final"
    assert body["retryable"] is False
    assert body["message"] == "DeepSeek refused the request (400): correct what upstream.message names."
    assert body["upstream"] == {
        "status": 400,
        "type": "invalid_request_error",
        "message": "Invalid max_tokens value",
        "trace_id": "abc",
    }
    assert body["partial"] == {"content": "half"}


def test_announcements_and_chunks_carry_their_numbers_and_stable_ids():
    request = a_request()
    accepted = compose_accepted(request, 1, "w-1")
    chunk = compose_chunk(request, "ab12", 2, 7, Delta({"content": "x"}, {"content": []}))
    restarted = compose_restarted(request, "ab12", 2, "worker_lost")
    for composed in (accepted, chunk, restarted):
        body = json.loads(composed.body)
        REPLY.validate_python(body)
        assert (body["kind"], body["id"]) == (composed.kind, composed.fleet_id)
    assert accepted.fleet_id == "c-1:accepted"
    assert chunk.fleet_id == "c-1:ab12:2:7"
    assert restarted.fleet_id == "c-1:ab12:2:restarted"


def test_a_refusal_has_an_id_of_its_publish_so_that_it_never_ends_the_request():
    refusal = a_request().refused(ErrorCode.IDEMPOTENCY_CONFLICT, "Use another id.")
    composed = compose_refusal(refusal)
    assert composed.fleet_id == "c-1:refused:m-1"
    REPLY.validate_python(json.loads(composed.body))
