"""What the API refuses with 400, in its own words."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fleet_simulator.context import message_text
from fleet_simulator.models import (
    CONTEXT_WINDOW,
    FIM_MAX_OUTPUT_TOKENS,
    MAX_OUTPUT_TOKENS,
    MODELS,
    served_model,
)
from fleet_simulator.refusals import USE_BETA, invalid_request
from fleet_simulator.requests import (
    ChatRequest,
    FimRequest,
    chat_request,
    fim_request,
    stops_of,
)
from fleet_simulator.shape import read_chat, read_fim
from fleet_simulator.tool_rules import Rules, broken_tool_rules

_MOST_STOPS = 16
_MOST_LOGPROBS = 20

FIM_NEEDS_BETA = f"completions api is only available when using beta api {USE_BETA}"


def validated_chat(raw: bytes, rules: Rules) -> ChatRequest:
    """The chat request in a body.

    Raises:
        Refusal: 400 or 422, with the first thing that is wrong.
    """
    body = read_chat(raw)
    _refuse(_broken_model_rule(body))
    request = chat_request(body)
    _refuse(_broken_chat_rules(request, rules))
    _refuse(_broken_context_rule(request.prompt_tokens, body))
    return request


def validated_fim(raw: bytes) -> FimRequest:
    """The fill-in-the-middle request in a body.

    Raises:
        Refusal: 400 or 422, with the first thing that is wrong.
    """
    body = read_fim(raw)
    _refuse(_broken_model_rule(body))
    _refuse(_broken_ranges(body, FIM_MAX_OUTPUT_TOKENS, temperature_counts=True))
    request = fim_request(body)
    _refuse(_broken_context_rule(request.prompt_tokens, body))
    return request


def _refuse(broken: Iterator[str]) -> None:
    for text in broken:
        raise invalid_request(text)


def _broken_model_rule(body: Mapping[str, Any]) -> Iterator[str]:
    if served_model(body["model"]) is None:
        known = ", ".join(MODELS)
        yield f"The supported API model names are {known}, but you passed {body['model']}."


def _broken_chat_rules(request: ChatRequest, rules: Rules) -> Iterator[str]:
    body = request.body
    if not request.messages:
        yield "Empty input messages"
    if body.get("n") not in (None, 1):
        yield "Invalid n value (currently only n = 1 is supported)"
    yield from _broken_ranges(body, MAX_OUTPUT_TOKENS, temperature_counts=not request.thinks)
    yield from _broken_logprobs_rules(body)
    if request.prefix is not None and not rules.beta:
        yield f"chat prefix completion is only available when using beta api {USE_BETA}"
    if request.wants_json and not _mentions_json(request):
        yield (
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
        )
    yield from broken_tool_rules(request, rules)


def _broken_ranges(body: Mapping[str, Any], most: int, *, temperature_counts: bool) -> Iterator[str]:
    max_tokens = body.get("max_tokens")
    if max_tokens is not None and not 1 <= max_tokens <= most:
        yield f"Invalid max_tokens value, the valid range of max_tokens is [1, {most}]"
    temperature = body.get("temperature")
    if temperature_counts and temperature is not None and not 0 <= temperature <= 2:  # noqa: PLR2004 - the API's range
        yield "Invalid temperature value, the valid range of temperature is [0, 2]"
    top_p = body.get("top_p")
    if top_p is not None and not 0 < top_p <= 1:
        yield "Invalid top_p value, the valid range of top_p is (0, 1.0]"
    stops = stops_of(body)
    if len(stops) > _MOST_STOPS:
        yield f"Stop string array too long: {len(stops)}"
    if body.get("stream_options") is not None and not body.get("stream"):
        yield "stream_options should be set along with stream = true"


def _broken_logprobs_rules(body: Mapping[str, Any]) -> Iterator[str]:
    asked = body.get("top_logprobs")
    if asked is not None and asked > _MOST_LOGPROBS:
        yield f"Invalid top_logprobs value, the valid range of top_logprobs is [0, {_MOST_LOGPROBS}]"
    if asked is not None and not body.get("logprobs"):
        yield "top_logprobs should be set along with logprobs = true"


def _broken_context_rule(prompt: int, body: Mapping[str, Any]) -> Iterator[str]:
    completion = body.get("max_tokens") or 0
    if prompt + completion > CONTEXT_WINDOW:
        yield (
            f"This model's maximum context length is {CONTEXT_WINDOW} tokens. However, you requested "
            f"{prompt + completion} tokens ({prompt} in the messages, {completion} in the completion)."
        )


def _mentions_json(request: ChatRequest) -> bool:
    return any(re.search("json", message_text(message), re.IGNORECASE) for message in request.messages)
