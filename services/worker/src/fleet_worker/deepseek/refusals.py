"""Pure: what the upstream says in an error body and its headers."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson

from fleet_worker.completion import UpstreamAnswer
from fleet_worker.deepseek.shapes import ShapeError, parsed

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")
_LONGEST_TEXT = 4096


def answer_of(status: int, body: bytes, trace_id: str | None) -> UpstreamAnswer:
    """What an error body says, whatever its content type.

    DeepSeek labels the JSON of its 400 as application/octet-stream, and the edge before it answers a missing
    key with plain text; servers that are compatible with it have `error` as a text, or `detail`.
    """
    try:
        document = parsed(body)
    except ShapeError:
        return UpstreamAnswer(status, None, _shortened(body.decode(errors="replace")), trace_id)
    return error_of(document, status, trace_id)


def error_of(document: Any, status: int, trace_id: str | None) -> UpstreamAnswer:
    """What an error object says, or a document that holds one under `error`."""
    fields = _fields(document)
    inner = fields.get("error", fields)
    if isinstance(inner, str):
        return UpstreamAnswer(status, None, _shortened(inner), trace_id)
    error = _fields(inner)
    message = error.get("message", error.get("detail"))
    return UpstreamAnswer(status, _text(error.get("type")), _text(message), trace_id)


def retry_after_s(value: str | None, now_ms: int) -> float | None:
    """Seconds to wait by a Retry-After header: a number of seconds or an HTTP date; None where it is neither.

    Source: RFC 9110, section 10.2.3.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    return max(0.0, (moment - now).total_seconds())


def _fields(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return _shortened(value if isinstance(value, str) else orjson.dumps(value).decode())


def _shortened(text: str) -> str | None:
    stripped = text.strip()
    return stripped[:_LONGEST_TEXT] or None
