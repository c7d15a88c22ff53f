"""Pure: one reply of `deepseek.results` as one line, for people or for programs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson

Json = dict[str, Any]

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Seen:
    """A reply as far as a line tells of it."""

    at: datetime
    kind: str
    tenant: str
    model: str
    correlation_id: str
    body: Json

    def fields(self, *, content: bool) -> Json:
        """For programs. Texts of the answer only where `content` is wanted."""
        usage = _object(_object(self.body.get("response")).get("usage"))
        cost, timings = _object(self.body.get("cost")), _object(self.body.get("timings"))
        found = {
            "at": self.at.isoformat(timespec="milliseconds"),
            "kind": self.kind,
            "tenant": self.tenant,
            "model": self.model,
            "correlation_id": self.correlation_id,
            "attempts": self.body.get("attempts"),
            "prompt_tokens": usage.get("prompt_tokens"),
            "completion_tokens": usage.get("completion_tokens"),
            "cost": cost.get("amount"),
            "currency": cost.get("currency"),
            "total_ms": timings.get("total_ms"),
            "code": self.body.get("code"),
            "retryable": self.body.get("retryable"),
            "degraded": self.body.get("degraded"),
            "seq": self.body.get("seq"),
        }
        if content:
            found["content"] = self.content()
        return {name: value for name, value in found.items() if value is not None}

    def line(self, *, content: bool) -> str:
        """For people: time, kind, tenant, model, correlation ID, then the figures or the code."""
        local = self.at.astimezone().strftime("%H:%M:%S")
        parts = [local, f"{self.kind:<7}", self.tenant, self.model, self.correlation_id, *self._figures()]
        if content and (text := self.content()):
            # Quoted, so that it stays one line and commands nothing to the terminal.
            parts.append(orjson.dumps(text).decode())
        return " ".join(_printable(part) for part in parts)

    def content(self) -> str | None:
        """The text of a result, of a chunk, or of what came before a failure."""
        if self.kind == "chunk":
            return _text(_object(self.body.get("delta")).get("content"))
        if self.kind == "failure":
            return _text(_object(self.body.get("partial")).get("content"))
        choices: Any = _object(self.body.get("response")).get("choices")
        choice = _object(cast("list[Any]", choices)[0]) if isinstance(choices, list) and choices else {}
        return _text(choice.get("text", _object(choice.get("message")).get("content")))

    def _figures(self) -> list[str]:
        told = self.fields(content=False)
        parts: list[str] = []
        if "code" in told:
            parts.append(f"{told['code']}, attempts {told.get('attempts', 0)}")
        if "prompt_tokens" in told:
            parts.append(f"{told['prompt_tokens']}+{told.get('completion_tokens')} tokens")
        if "cost" in told:
            parts.append(f"{told['cost']} {told.get('currency')}")
        if "total_ms" in told:
            parts.append(f"{told['total_ms']} ms")
        if "seq" in told:
            parts.append(f"seq {told['seq']}")
        return [*parts, "degraded"] if told.get("degraded") else parts


def seen(at: datetime, routing_key: str, correlation_id: str | None, body: bytes) -> Seen:
    """The reply that was published with this routing key `<kind>.<tenant>.<model>`."""
    kind, tenant, model = (*routing_key.split(".", 2), "", "", "")[:3]
    try:
        document = _object(orjson.loads(body))
    except orjson.JSONDecodeError:
        kind, document = UNREADABLE, {}
    answered: Any = _object(document.get("response")).get("model")
    return Seen(at, kind, tenant, _text(answered) or model, correlation_id or "-", document)


def _object(value: Any) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
