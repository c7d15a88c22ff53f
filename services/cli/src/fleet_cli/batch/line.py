"""Pure: one line of a batch's input, as the request that it stands for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from pydantic import ValidationError

from fleet_client import Line
from fleet_contracts import ChatRequest, FimRequest, RequestType

CHAT_URLS = frozenset({"/v1/chat/completions", "/chat/completions", "/beta/chat/completions"})
FIM_URLS = frozenset({"/v1/completions", "/completions", "/beta/completions"})
DEFAULT_MODEL = "deepseek-flash"
_OPENAI = frozenset({"custom_id", "method", "url", "body"})
_MODELS = {RequestType.CHAT: ChatRequest, RequestType.FIM: FimRequest}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_ID = 512

Json = dict[str, Any]


class LineError(Exception):
    """A line that is no request; the message says what is wrong with it, and shows none of its text."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says about every line.

    Attributes:
        model: asked instead of what the lines say; theirs, or deepseek-flash, where empty.
        system: a system message for lines that have none.
        fields: further fields, for lines that do not have them.
        instruction: a system message that comes first in every chat.
    """

    model: str = ""
    system: str = field(default="", repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    instruction: str = field(default="", repr=False)


def line_of(text: bytes, number: int, choices: Choices) -> Line:
    """The request in one line.

    OpenAI's batch format, an object with `prompt` or `messages` beside other fields of the request, or a
    plain text. A line without a `custom_id` is known as `line-<number>`.

    Raises:
        LineError: it is none of these, or breaks a rule of the contract.
    """
    stripped = text.strip()
    if not stripped.startswith(b"{"):
        return _chat({"prompt": _text_of(stripped)}, _own_key(number), choices)
    fields = _object_of(stripped)
    key = _key_of(fields, number)
    if "body" in fields:
        return _openai(fields, key, choices)
    return _chat({name: value for name, value in fields.items() if name != "custom_id"}, key, choices)


def _own_key(number: int) -> str:
    return f"line-{number}"


def _text_of(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise LineError("it is no UTF-8 text: convert the file first, as with iconv") from error


def _object_of(text: bytes) -> Json:
    try:
        return cast("Json", orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise LineError(
            f"it begins like JSON and is none ({error.msg} at character {error.pos + 1}): one whole object "
            "has to stand on one line"
        ) from error


def _key_of(fields: Json, number: int) -> str:
    key = fields.get("custom_id", _own_key(number))
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_ID or _UNPRINTABLE.search(key):
        raise LineError(f"custom_id has to be a text of 1 to {_LONGEST_ID} printable characters")
    return key


def _openai(fields: Json, key: str, choices: Choices) -> Line:
    unknown = sorted(fields.keys() - _OPENAI)
    if unknown:
        raise LineError(f"it has {', '.join(map(repr, unknown))} beside custom_id, method, url and body")
    if fields.get("method", "POST") != "POST":
        raise LineError('method has to be "POST"')
    body = fields["body"]
    if not isinstance(body, dict):
        raise LineError("body has to be an object")
    url = fields.get("url", "/v1/chat/completions")
    if url in CHAT_URLS:
        return _chat(cast("Json", body), key, choices)
    if url in FIM_URLS:
        return _fim(cast("Json", body), key, choices)
    raise LineError('url has to be "/v1/chat/completions", or "/v1/completions" for a fill in the middle')


def _chat(body: Json, key: str, choices: Choices) -> Line:
    if "prompt" in body:
        body = _with_messages(body)
    elif "messages" not in body:
        raise LineError("it has no prompt, no messages and no body")
    body = _chosen(body, choices)
    _check(RequestType.CHAT, body)
    messages = _with_system(body.pop("messages"), choices)
    return Line(messages, key, body, type=RequestType.CHAT)


def _with_messages(body: Json) -> Json:
    prompt = body["prompt"]
    if "messages" in body:
        raise LineError("it has both a prompt and messages: leave one out")
    if not isinstance(prompt, str) or not prompt.strip():
        raise LineError("prompt has to be a text")
    rest = {name: value for name, value in body.items() if name != "prompt"}
    return {**rest, "messages": [{"role": "user", "content": prompt}]}


def _with_system(messages: list[Json], choices: Choices) -> list[Json]:
    has_one = any(message["role"] == "system" for message in messages)
    first = [choices.instruction, "" if has_one else choices.system]
    return [*({"role": "system", "content": text} for text in first if text), *messages]


def _fim(body: Json, key: str, choices: Choices) -> Line:
    if choices.instruction:
        raise LineError("a fill in the middle has no JSON: leave the schema out, or the line")
    body = _chosen(body, choices)
    _check(RequestType.FIM, body)
    return Line(body.pop("prompt"), key, body, type=RequestType.FIM)


def _chosen(body: Json, choices: Choices) -> Json:
    if body.get("stream"):
        raise LineError("stream can't be true in a batch: leave it out")
    given = {**choices.fields, **{name: value for name, value in body.items() if name != "stream"}}
    return {**given, "model": choices.model or given.get("model", DEFAULT_MODEL)}


def _check(kind: RequestType, body: Json) -> None:
    try:
        _MODELS[kind].model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise LineError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
