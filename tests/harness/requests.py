"""Requests and deliveries to test with."""

from typing import Any

import orjson

from fleet_contracts.grammar import Lane, RequestType
from fleet_worker.delivery import Delivery
from fleet_worker.request import Request

BODY: dict[str, Any] = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]}


def a_delivery(body: object = None, **changes: Any) -> Delivery:
    """A valid chat request as the broker delivers it, with changes."""
    encoded = body if isinstance(body, bytes) else orjson.dumps(BODY if body is None else body)
    fields: dict[str, Any] = {
        "body": encoded,
        "queue": "deepseek.requests",
        "exchange": "deepseek.requests",
        "routing_key": "interactive.acme",
        "headers": {},
        "correlation_id": "c-1",
        "reply_to": "deepseek.reply.acme.1",
        "message_id": "m-1",
    }
    return Delivery(**{**fields, **changes})


def a_request(**changes: Any) -> Request:
    """A valid streamed chat request, with changes."""
    body = changes.pop("body", {**BODY, "stream": True})
    fields: dict[str, Any] = {
        "correlation_id": "c-1",
        "tenant": "acme",
        "lane": Lane.INTERACTIVE,
        "type": RequestType.CHAT,
        "message_id": "m-1",
        "model": "deepseek-flash",
        "body": body,
        "payload": orjson.dumps(body),
        "digest": "d" * 64,
        "stream": True,
        "reply_to": "deepseek.reply.acme.1",
    }
    return Request(**{**fields, **changes})


def a_response(content: str = "Hi there", **message: Any) -> dict[str, Any]:
    """A chat.completion as DeepSeek returns it unstreamed."""
    return {
        "id": "8a2c",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": "deepseek-flash",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 9,
            "total_tokens": 14,
            "prompt_cache_hit_tokens": 0,
            "prompt_cache_miss_tokens": 5,
        },
        "system_fingerprint": "aeb56401ca74e127821c4f9126dcb669",
    }
