"""Wrong types in a body: 422, with the words of the Rust deserializer behind the real API."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from fleet_simulator.refusals import Refusal, invalid_request, not_deserialized

_ROLES = ("system", "user", "assistant", "tool")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
_SHARED: Mapping[str, str] = {
    "max_tokens": "u32",
    "temperature": "f32",
    "top_p": "f32",
    "frequency_penalty": "f32",
    "presence_penalty": "f32",
    "stream": "a boolean",
    "stream_options": "struct StreamOptions",
    "stop": "a string or a sequence",
}
_CHAT: Mapping[str, str] = {
    **_SHARED,
    "thinking": "struct ThinkingOptions",
    "reasoning_effort": "a string",
    "response_format": "struct ResponseFormat",
    "tools": "a sequence",
    "tool_choice": "a string or a map",
    "logprobs": "a boolean",
    "top_logprobs": "u32",
    "n": "u32",
    "user_id": "a string",
}
_FIM: Mapping[str, str] = {**_SHARED, "suffix": "a string", "echo": "a boolean", "logprobs": "u32"}
_VARIANTS: Mapping[tuple[str, str], Sequence[str]] = {
    ("thinking", "type"): ("enabled", "disabled"),
    ("response_format", "type"): ("text", "json_object"),
}
_MEANINGS: Mapping[str, tuple[type, ...]] = {
    "a string": (str,),
    "a boolean": (bool,),
    "a sequence": (list,),
    "a string or a sequence": (str, list),
    "a string or a map": (str, dict),
    "f32": (int, float),
    "u32": (int,),
}


class _MismatchError(Exception):
    def __init__(self, path: str, why: str, key: str) -> None:
        super().__init__(path)
        self.path, self.why, self.key = path, why, key


def read_chat(raw: bytes) -> dict[str, Any]:
    """The body of a chat request, types checked.

    Raises:
        Refusal: 400 for what is no JSON, 422 for a wrong or missing field.
    """
    return _read(raw, _check_chat)


def read_fim(raw: bytes) -> dict[str, Any]:
    """The body of a fill-in-the-middle request, types checked.

    Raises:
        Refusal: As `read_chat`.
    """
    return _read(raw, _check_fim)


def _read(raw: bytes, check: Any) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise invalid_request(f"Failed to parse the request body as JSON: {error.msg} at {place}") from error
    try:
        _expect("", body, "struct ChatCompletionRequest")
        check(body)
    except _MismatchError as error:
        raise _refusal(raw, error) from error
    return cast("dict[str, Any]", body)


def _check_chat(body: Mapping[str, Any]) -> None:
    _require(body, ("messages", "model"))
    _expect("model", body["model"], "a string")
    _expect("messages", body["messages"], "a sequence")
    _check_fields(body, _CHAT)
    for number, message in enumerate(body["messages"]):
        _check_message(f"messages[{number}]", message)
    for (field, key), variants in _VARIANTS.items():
        if body.get(field) is not None:
            _expect_variant(f"{field}.{key}", body[field].get(key, variants[0]), variants)
    if body.get("reasoning_effort") is not None:
        _expect_variant("reasoning_effort", body["reasoning_effort"], _EFFORTS)
    for number, tool in enumerate(body.get("tools") or ()):
        _check_tool(f"tools[{number}]", tool)


def _check_fim(body: Mapping[str, Any]) -> None:
    _require(body, ("model", "prompt"))
    _expect("model", body["model"], "a string")
    _expect("prompt", body["prompt"], "a string")
    _check_fields(body, _FIM)


def _check_fields(body: Mapping[str, Any], fields: Mapping[str, str]) -> None:
    for field, expected in fields.items():
        if (value := body.get(field)) is not None:
            _expect(field, value, expected)
    for stop in _list_or_nothing(body.get("stop")):
        _expect("stop", stop, "a string")


def _check_message(path: str, message: object) -> None:
    _expect(path, message, "struct Message")
    said = cast("Mapping[str, Any]", message)
    if "role" not in said:
        raise _MismatchError(path, "missing field `role`", "")
    _expect_variant(f"{path}.role", said["role"], _ROLES)
    content = said.get("content")
    if content is None and said["role"] != "assistant":
        raise _MismatchError(path, "missing field `content`", "")
    if content is not None:
        _expect(f"{path}.content", content, "a string or a sequence")
    for part in _list_or_nothing(content):
        _expect(f"{path}.content", part, "struct ContentPart")
    for call in said.get("tool_calls") or ():
        _expect(f"{path}.tool_calls", call, "struct ToolCall")
        _expect(
            f"{path}.tool_calls", cast("Mapping[str, Any]", call).get("function", {}), "struct FunctionCall"
        )
    if said["role"] == "tool" and "tool_call_id" not in said:
        raise _MismatchError(path, "missing field `tool_call_id`", "")


def _check_tool(path: str, tool: object) -> None:
    _expect(path, tool, "struct Tool")
    given = cast("Mapping[str, Any]", tool)
    if "type" not in given:
        raise _MismatchError(path, "missing field `type`", "")
    _expect_variant(f"{path}.type", given["type"], ("function",))
    function = given.get("function")
    if function is None:
        raise _MismatchError(path, "missing field `function`", "")
    _expect(f"{path}.function", function, "struct Function")
    if "name" not in function:
        raise _MismatchError(f"{path}.function", "missing field `name`", "")
    _expect(f"{path}.function.name", function["name"], "a string")


def _list_or_nothing(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()


def _require(body: Mapping[str, Any], fields: Sequence[str]) -> None:
    for field in fields:
        if field not in body:
            raise _MismatchError("", f"missing field `{field}`", "")


def _expect(path: str, value: object, expected: str) -> None:
    allowed = _MEANINGS.get(expected, (dict,))
    fits = isinstance(value, allowed) and (not isinstance(value, bool) or bool in allowed)
    if not fits:
        raise _MismatchError(path, _wrong_type(value, expected), path)
    if expected == "u32" and not 0 <= cast("int", value) < 1 << 32:
        raise _MismatchError(path, f"invalid value: integer `{value}`, expected u32", path)


def _expect_variant(path: str, value: object, variants: Sequence[str]) -> None:
    _expect(path, value, "a string")
    if value not in variants:
        known = ", ".join(f"`{variant}`" for variant in variants)
        raise _MismatchError(path, f"unknown variant `{value}`, expected one of {known}", path)


def _wrong_type(value: object, expected: str) -> str:
    return f"invalid type: {_described(value)}, expected {expected}"


def _described(value: object) -> str:
    names: Mapping[type, str] = {bool: "boolean", int: "integer", float: "floating point"}
    if (name := names.get(type(value))) is not None:
        return f"{name} `{json.dumps(value)}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return "null" if value is None else "sequence" if isinstance(value, list) else "map"


def _refusal(raw: bytes, mismatch: _MismatchError) -> Refusal:
    # The deserializer names the place where it gave up: behind the bad value, or at the end of the object.
    text = raw.decode()
    end = _end_of_value(text, mismatch.key) or len(text.rstrip())
    before = text[:end]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode())
    why = f"{mismatch.path}: {mismatch.why}" if mismatch.path else mismatch.why
    return not_deserialized(why, line, column)


def _end_of_value(text: str, path: str) -> int | None:
    name = re.sub(r"\[\d+\]", "", path).rpartition(".")[2]
    found = re.search(rf'"{re.escape(name)}"\s*:\s*', text) if name else None
    if found is None:
        return None
    return json.JSONDecoder().raw_decode(text, found.end())[1]
