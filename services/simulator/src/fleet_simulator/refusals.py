"""Every answer that is not a 200, with the texts seen on the real API.

Source of the meanings: api-docs.deepseek.com, "Error Codes".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

JSON = "application/json"
USE_BETA = '(set base_url="https://api.deepseek.com/beta")'


@dataclass
class Refusal(Exception):  # noqa: N818 - it is an answer of the API, not a fault of this program
    """A call that ends with a status instead of an answer.

    Attributes:
        status: The HTTP status.
        body: The body's bytes, exactly.
        content_type: None sends no content type at all, as the real edge does for a missing key.
        headers: Further headers.
    """

    status: int
    body: bytes
    content_type: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def _envelope(message: str, kind: str, code: str) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def invalid_request(message: str) -> Refusal:
    """400. The real API labels this JSON as application/octet-stream."""
    body = _envelope(message, "invalid_request_error", "invalid_request_error")
    return Refusal(400, body, "application/octet-stream")


def not_deserialized(why: str, line: int, column: int) -> Refusal:
    """422: a field has the wrong type."""
    message = (
        f"Failed to deserialize the JSON body into the target type: {why} at line {line} column {column}"
    )
    return Refusal(422, _envelope(message, "invalid_request_error", "invalid_request_error"))


def no_key() -> Refusal:
    """401 of the edge for a missing or garbled Authorization header: plain text, no content type."""
    return Refusal(401, b"Authentication Fails (governor)", None)


def unknown_key(key: str, request_id: str) -> Refusal:
    """401 for a well-formed key that opens no account."""
    masked = f"****{key[-4:]}"
    message = f"Authentication Fails, Your api key: {masked} is invalid (request_id: {request_id})"
    return Refusal(401, _envelope(message, "authentication_error", "invalid_request_error"))


def insufficient_balance() -> Refusal:
    """402: the account is empty."""
    return Refusal(402, _envelope("Insufficient Balance", "unknown_error", "invalid_request_error"))


def too_many(current: int, limit: int) -> Refusal:
    """429: the account's concurrency for this model is used up. No Retry-After, no rate headers."""
    message = (
        f"Too many requests. Your current concurrency is {current}, which exceeds your concurrency limit of "
        f"{limit} based on your remaining balance. Please top up your balance to restore your concurrency."
    )
    return Refusal(429, _envelope(message, "rate_limit_error", "invalid_request_error"))


def server_error() -> Refusal:
    """500. No body was ever published; this one keeps the envelope."""
    return Refusal(500, _envelope("Internal Server Error", "internal_server_error", "internal_server_error"))


def too_busy() -> Refusal:
    """503: overloaded."""
    message = (
        "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers."
    )
    return Refusal(503, _envelope(message, "service_unavailable_error", "service_unavailable_error"))


def of_status(status: int, concurrency_limit: int, request_id: str) -> Refusal:
    """The refusal that the real API gives with `status`, for scripted faults."""
    made = {
        400: lambda: invalid_request("Invalid request"),
        401: lambda: unknown_key("0000", request_id),
        402: insufficient_balance,
        422: lambda: not_deserialized("missing field `messages`", 1, 2),
        429: lambda: too_many(concurrency_limit + 1, concurrency_limit),
        500: server_error,
        503: too_busy,
    }
    known = made.get(status)
    return known() if known else Refusal(status, b"", None)
