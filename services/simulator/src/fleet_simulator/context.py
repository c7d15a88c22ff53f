"""What the model reads of a conversation: counted in tokens, and as one text to be compared."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from fleet_simulator import tokens

Json = Mapping[str, Any]

_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_IMAGE = 256


def message_text(message: Json) -> str:
    """The text of a message, whether it is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in cast("list[Json]", content))
    return content or ""


def prompt_tokens(messages: Sequence[Json], tools: Sequence[Json]) -> int:
    """Tokens of a conversation, of the functions on offer and of images."""
    with_tools = bool(tools)
    spoken = sum(_TOKENS_PER_MESSAGE + tokens.estimate(_spoken(m, with_tools=with_tools)) for m in messages)
    images = sum(len(_images(message)) for message in messages)
    return spoken + images * _TOKENS_PER_IMAGE + tokens.estimate(_offered(tools))


def rendered(messages: Sequence[Json], tools: Sequence[Json]) -> str:
    """The whole context as one text: that of a conversation begins with that of its earlier turns."""
    return _offered(tools) + "".join(turn(message, with_tools=bool(tools)) for message in messages)


def turn(message: Json, *, with_tools: bool) -> str:
    """One message as a part of the context."""
    seen = [hashlib.sha256(orjson.dumps(image)).hexdigest() for image in _images(message)]
    return f"<{message['role']}>{_spoken(message, with_tools=with_tools)}{''.join(seen)}"


def _spoken(message: Json, *, with_tools: bool) -> str:
    # Earlier reasoning is read again only where tools are on offer; without them it is ignored.
    reasoning = (message.get("reasoning_content") or "") if with_tools else ""
    calls = "".join(_called(call) for call in cast("list[Json]", message.get("tool_calls") or ()))
    return f"{reasoning}{message_text(message)}{calls}"


def _called(call: Json) -> str:
    function = cast("Json", call.get("function") or {})
    return f"{function.get('name')}({function.get('arguments')})"


def _offered(tools: Sequence[Json]) -> str:
    return orjson.dumps(list(tools)).decode() if tools else ""


def _images(message: Json) -> list[Json]:
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [part for part in cast("list[Json]", content) if part.get("type") == "image_url"]
