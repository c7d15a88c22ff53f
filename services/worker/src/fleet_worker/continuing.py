"""Pure: going on from text that was sent already, by prefix completion, instead of starting over.

The next call gets the text so far as the beginning of the answer and brings the rest. Source:
https://api-docs.deepseek.com/guides/chat_prefix_completion (the beta address; the last message is the
assistant's, with `prefix: true`, and may carry `reasoning_content`).
"""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from fleet_contracts.grammar import RequestType
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.request import Request

_CONTENT, _REASONING = "content", "reasoning_content"
Usage = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the broken calls of one attempt gave."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    """The text that was sent, by field."""
    pieces: int = 0
    """Deltas that were sent: about as many tokens."""
    usage: Usage = field(default_factory=dict[str, Any])
    """What the broken calls used, as far as the upstream told."""
    untold: int = 0
    """Deltas of calls whose usage nobody told."""
    upstream_ms: int = 0
    first_content_ms: int | None = None

    def after(self, error: CompletionError, pieces: int) -> "SoFar":
        """This, and what one more broken call gave: its text, and `pieces` deltas."""
        texts = {
            name: self.texts.get(name, "") + error.partial.get(name, "")
            for name in {**self.texts, **error.partial}
        }
        first = self.first_content_ms
        if first is None and error.first_content_ms is not None:
            first = self.upstream_ms + error.first_content_ms
        return SoFar(
            texts,
            self.pieces + pieces,
            _sum(self.usage, error.usage or {}),
            self.untold + (0 if error.usage else pieces),
            self.upstream_ms + error.upstream_ms,
            first,
        )


def may_continue(request: Request, so_far: SoFar) -> bool:
    """Whether the rest of an answer can be asked for.

    Not for text completions. Not while the model still thinks, for a prefix is text of the answer. Not with
    tools, whose calls are no text; not in JSON mode, for the rest alone is no JSON and would be blanked; not
    with log probabilities, which the result could not give for the text that came before.
    """
    body = request.body
    json_mode = cast("dict[str, Any]", body.get("response_format") or {}).get("type") == "json_object"
    return (
        request.type is RequestType.CHAT
        and request.stream
        and bool(so_far.texts.get(_CONTENT))
        and not (body.get("tools") or json_mode or body.get("logprobs"))
    )


def continued(request: Request, so_far: SoFar) -> Request:
    """The request for the rest of the answer; where `max_tokens` is set, what came is taken from it."""
    body = {**request.body, "messages": _messages(request, so_far.texts)}
    most = request.body.get("max_tokens")
    if most is not None:
        body["max_tokens"] = max(1, most - so_far.pieces)
    return replace(request, body=body, payload=orjson.dumps(body))


def joined(so_far: SoFar, rest: Completion) -> Completion:
    """The whole answer: the text that was sent, and the rest of it.

    Usage is the sum of all calls. For a call that broke off without telling it, input is what the next call's
    input was but for the text sent in between, as if none of it had been cached, and output a token a delta.
    """
    response = rest.response
    choice = response["choices"][0]
    message = {**choice["message"]}
    for name, text in so_far.texts.items():
        message[name] = text + (message.get(name) or "")
    usage = _sum(so_far.usage, response.get("usage") or {})
    if so_far.untold:
        usage = _sum(usage, _estimate(so_far, response.get("usage") or {}))
    first_ms = so_far.first_content_ms
    return replace(
        rest,
        response={
            **response,
            "choices": [{**choice, "message": message}, *response["choices"][1:]],
            "usage": usage or None,
        },
        first_content_ms=rest.first_content_ms if first_ms is None else first_ms,
        upstream_ms=so_far.upstream_ms + rest.upstream_ms,
        estimated=bool(so_far.untold),
    )


def _messages(request: Request, texts: dict[str, str]) -> list[Any]:
    messages = [*cast("list[dict[str, Any]]", request.body["messages"])]
    begun: dict[str, Any] = {"role": "assistant", "prefix": True}
    if messages[-1].get("role") == "assistant" and messages[-1].get("prefix") is True:
        begun = messages.pop()
    said = {_CONTENT: _text(begun, _CONTENT) + texts[_CONTENT]}
    if thought := _text(begun, _REASONING) + texts.get(_REASONING, ""):
        said[_REASONING] = thought
    return [*messages, {**begun, **said}]


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _estimate(so_far: SoFar, next_usage: Usage) -> Usage:
    prompt = max(0, int(next_usage.get("prompt_tokens") or 0) - so_far.pieces)
    return {
        "prompt_tokens": prompt,
        "prompt_cache_miss_tokens": prompt,
        "completion_tokens": so_far.untold,
        "total_tokens": prompt + so_far.untold,
    }


def _sum(first: Usage, second: Usage) -> Usage:
    """Two usage objects added, field by field."""
    summed = {**first}
    for name, value in second.items():
        known = summed.get(name)
        if isinstance(value, dict):
            inner = cast("Usage", known) if isinstance(known, dict) else {}
            summed[name] = _sum(inner, cast("Usage", value))
        elif isinstance(value, int | float) and isinstance(known, int | float):
            summed[name] = known + value
        else:
            summed[name] = value
    return summed
