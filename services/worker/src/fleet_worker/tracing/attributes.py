"""Pure: what is said of requests and calls, in the words of OpenTelemetry's conventions. No content.

Sources: https://opentelemetry.io/docs/specs/semconv/messaging/ and
https://opentelemetry.io/docs/specs/semconv/gen-ai/ (both in development: a name may still change there).
"""

from typing import Any, cast
from urllib.parse import urlsplit

from fleet_contracts.grammar import RequestType
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.prices import tokens_of
from fleet_worker.request import Addressed, Request, RequestKey
from fleet_worker.tracing.spans import Attributes, Value

_SYSTEM = {"messaging.system": "rabbitmq"}
_OPERATIONS = {RequestType.CHAT: "chat", RequestType.FIM: "text_completion"}
_ASKED = {
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}


def of_processing(request: Request, queue: str) -> Attributes:
    """What is known of a request when it comes."""
    return {
        **_SYSTEM,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": queue,
        "messaging.message.id": request.message_id,
        "messaging.message.conversation_id": request.correlation_id,
        "messaging.message.body.size": len(request.published.body),
        "gen_ai.request.model": request.model,
        "fleet.tenant": request.tenant,
        "fleet.lane": str(request.lane),
        "fleet.stream": request.stream,
        "fleet.retry": request.retry or None,
        "fleet.deliveries": request.deliveries or None,
    }


def of_publishing(request: Addressed, kind: str, results: str) -> Attributes:
    """What is known of a terminal reply when it leaves."""
    return {
        **_SYSTEM,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": request.reply_to or results,
        "messaging.message.conversation_id": request.correlation_id,
        "fleet.kind": kind,
    }


def operation_of(request: Request) -> str:
    """What is asked of the upstream."""
    return _OPERATIONS[request.type]


def of_call(request: Request, base_url: str, attempt: int) -> Attributes:
    """What is known of an upstream call when it starts."""
    server = urlsplit(base_url)
    return {
        "gen_ai.operation.name": operation_of(request),
        "gen_ai.provider.name": "deepseek",
        "gen_ai.request.model": request.model,
        **{name: _number(request.body.get(field)) for field, name in _ASKED.items()},
        "server.address": server.hostname,
        "server.port": server.port or (443 if server.scheme == "https" else 80),
        "fleet.attempt": attempt,
        "fleet.stream": request.stream,
    }


def of_completion(completion: Completion) -> Attributes:
    """What a whole answer tells."""
    response = completion.response
    choices: list[dict[str, Any]] = response.get("choices") or []
    reasons = [str(choice["finish_reason"]) for choice in choices if choice.get("finish_reason")]
    return {
        "gen_ai.response.id": _text(response.get("id")),
        "gen_ai.response.model": _text(response.get("model")),
        "gen_ai.response.finish_reasons": reasons or None,
        **_of_usage(response.get("usage")),
        **_of_upstream(200, completion.trace_id),
    }


def of_error(error: CompletionError) -> Attributes:
    """What a call that failed tells."""
    upstream = error.upstream
    return {
        **_of_usage(error.usage),
        **_of_upstream(upstream.status if upstream else None, upstream.trace_id if upstream else None),
        "fleet.again": error.again,
        "fleet.retry_after_s": error.retry_after_s,
    }


def word_of_request(key: RequestKey) -> str:
    """A request's name, the same for every worker."""
    tenant, correlation_id, retry = key
    return f"{tenant}/{correlation_id}~{retry}"


def word_of_delivery(request: Request, number: int) -> str:
    """The name of the `number`th delivery of a message."""
    copy = request.parked_until_ms or 0
    return f"{word_of_request(request.key)} delivery {request.message_id} {copy} {number}"


def word_of_attempt(key: RequestKey, number: int) -> str:
    """The name of an attempt."""
    return f"{word_of_request(key)} attempt {number}"


def _of_usage(usage: dict[str, Any] | None) -> Attributes:
    if not usage:
        return {}
    prompt, cached, output = tokens_of(usage)
    return {
        "gen_ai.usage.input_tokens": prompt,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.output_tokens": output,
    }


def _of_upstream(status: int | None, trace_id: str | None) -> Attributes:
    return {"http.response.status_code": status, "fleet.upstream.trace_id": trace_id}


def _number(value: object) -> Value | None:
    # What the caller wrote there may be anything: only numbers are no content.
    return cast("int | float", value) if type(value) in {int, float} else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
