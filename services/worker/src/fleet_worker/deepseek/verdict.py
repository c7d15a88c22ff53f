"""Pure: whether a whole answer is a success."""

import re
from typing import Any, cast

from fleet_worker.deepseek.errors import interrupted
from fleet_worker.deepseek.shapes import Json, ShapeError, as_list, as_object, as_text
from fleet_worker.deepseek.usage import usage_of
from fleet_worker.request import Request

_FINISHED = frozenset({"stop", "tool_calls", "length", "content_filter"})
_WORD = re.compile(r"[a-z_]{1,64}")


def check(answer: Json, request: Request) -> None:
    """Let an answer pass that ended as it should.

    A `finish_reason` of `insufficient_system_resource` or `aborted` comes inside a 200 and means that
    DeepSeek broke the answer off. In JSON mode the API replaces text that is no JSON with blanks
    (https://api-docs.deepseek.com/guides/json_mode).

    Raises:
        CompletionError: it did not.
    """
    try:
        choice = _choice_of(answer)
        _check_texts(choice)
        usage_of(answer.get("usage"))
    except ShapeError as error:
        raise interrupted(str(error)) from error
    finish_reason = choice.get("finish_reason")
    if not isinstance(finish_reason, str) or finish_reason not in _FINISHED:
        raise interrupted(f"ended with {_described(finish_reason)}")
    if finish_reason == "stop" and _wants_json(request) and not texts_of(answer).get("content", "").strip():
        blank = interrupted("is blank where JSON was asked for (say json in the prompt, and give an example)")
        blank.blames_upstream = False
        raise blank


def texts_of(answer: Json) -> dict[str, str]:
    """The text of an answer by field, as far as there is any; a text completion's is `content`."""
    try:
        choice = _choice_of(answer)
        fields = {"content": choice.get("text"), **as_object(choice.get("message"))}
    except ShapeError:
        return {}
    texts = {name: fields.get(name) for name in ("content", "reasoning_content")}
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}


def _choice_of(answer: Json) -> Json:
    choices = as_list(answer.get("choices"))
    if not choices:
        raise ShapeError("has no choices")
    return as_object(choices[0])


def _check_texts(choice: Json) -> None:
    """Whatever is digested and shown as text has to be text."""
    message = as_object(choice.get("message"))
    for text in (choice.get("text"), message.get("content"), message.get("reasoning_content")):
        as_text(text)
    for call in as_list(message.get("tool_calls")):
        function = as_object(call).get("function")
        if type(function) is not dict or type(cast("Json", function).get("arguments")) is not str:
            raise ShapeError("has a tool call without the text of its arguments")


def _described(finish_reason: Any) -> str:
    if isinstance(finish_reason, str) and _WORD.fullmatch(finish_reason):
        return f"finish_reason {finish_reason}"
    return "no finish_reason that the API knows"


def _wants_json(request: Request) -> bool:
    wanted = request.body.get("response_format")
    return isinstance(wanted, dict) and "json_object" in wanted.values()
