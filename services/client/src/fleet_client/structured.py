"""Answers as objects: a model's schema goes into the prompt, and the answer has to fit it.

DeepSeek's JSON mode promises JSON and no schema; it wants the word json in the prompt.
Source: https://api-docs.deepseek.com/guides/json_mode
"""

from typing import Any, Protocol, Self, TypeVar, cast

import orjson

from fleet_client.answer import Answer
from fleet_client.errors import InvalidRequest, UnexpectedAnswer
from fleet_client.request import Fields, Prompt

_INSTRUCTION = "Answer with one json object, and nothing else, that fits this JSON Schema:\n"
_MOST_NAMED = 5


class Model(Protocol):
    """What is used of a pydantic model."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """Its JSON Schema."""
        ...

    @classmethod
    def model_validate_json(cls, json_data: str, /) -> Self:
        """The object that the JSON stands for.

        Raises:
            ValueError: it does not fit.
        """
        ...


M = TypeVar("M", bound=Model)


def asking_for(model: type[Model], prompt: Prompt, fields: Fields) -> tuple[Prompt, Fields]:
    """The prompt and fields that ask for an answer that fits `model`.

    The schema comes first, so that DeepSeek's cache has it for every later prompt.

    Raises:
        InvalidRequest: `response_format` was given too.
    """
    if "response_format" in fields:
        raise InvalidRequest("as_ sets response_format by itself. Leave one of the two out.")
    schema = orjson.dumps(model.model_json_schema()).decode()
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    asking = [{"role": "system", "content": _INSTRUCTION + schema}, *messages]
    return asking, {**fields, "response_format": {"type": "json_object"}}


def parsed(model: type[M], answer: Answer) -> M:
    """The object in an answer.

    Raises:
        UnexpectedAnswer: it does not fit; what does not is named, the text is in the error's `answer` alone.
    """
    trouble = ""
    try:
        return model.model_validate_json(answer.text)
    except ValueError as error:
        trouble = _without_values(error, model)
    # Raised out here, so that no traceback shows the validator's own error, which quotes the answer.
    cut = " It was cut by max_tokens: allow more." if answer.finish_reason == "length" else ""
    raise UnexpectedAnswer(
        f"The answer does not fit {model.__name__} ({trouble}).{cut} Its text is in error.answer.text. "
        "Ask again with another id, since the same id brings the same answer.",
        correlation_id=answer.id,
        attempts=answer.attempts,
        answer=answer,
    )


def _without_values(error: ValueError, model: type[Model]) -> str:
    errors: Any = getattr(error, "errors", None)
    if not callable(errors):
        return "it is no JSON of that kind"
    found = cast(
        "list[dict[str, Any]]", errors(include_url=False, include_context=False, include_input=False)
    )
    known = _names(model.model_json_schema())
    named = [f"{_place(each['loc'], known)}: {each['type']}" for each in found[:_MOST_NAMED]]
    more = f" and {len(found) - len(named)} more" if len(found) > len(named) else ""
    return ", ".join(named) + more


def _place(loc: tuple[int | str, ...], known: set[str]) -> str:
    # A key that the schema doesn't know is the model's own text.
    return (
        ".".join(str(part) if isinstance(part, int) or part in known else "(unknown key)" for part in loc)
        or "all of it"
    )


def _names(schema: Any) -> set[str]:
    """Every name of a property anywhere in a JSON Schema."""
    if isinstance(schema, list):
        return {name for each in cast("list[Any]", schema) for name in _names(each)}
    if not isinstance(schema, dict):
        return set()
    fields = cast("dict[str, Any]", schema)
    properties = fields.get("properties")
    own = set(cast("dict[str, Any]", properties)) if isinstance(properties, dict) else set[str]()
    return own.union(*(_names(each) for each in fields.values()))
