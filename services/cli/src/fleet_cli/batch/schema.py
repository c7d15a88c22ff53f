"""Answers that have to fit a JSON Schema; the one place where the validator's library is used."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from fleet_cli.wrong_input import WrongInputError
from fleet_client import Answer, Line

INSTRUCTION = "Answer with one json object, and nothing else, that fits this JSON Schema:\n"
_AGAIN = (
    "That does not fit the JSON Schema: {trouble}. Answer again with one json object that fits, and nothing "
    "else."
)
_MOST_NAMED = 5
_LONGEST_NAMED = 300


class Schema:
    """One JSON Schema.

    Args:
        text: the schema, as JSON.
        what: the file it is from, for the sentences.

    Raises:
        WrongInputError: it is no JSON Schema.
    """

    def __init__(self, text: bytes, what: str) -> None:
        self.text = text
        try:
            self._document = orjson.loads(text)
            self._validator = jsonschema_rs.validator_for(self._document, retriever=_fetch_nothing)
        except ValueError as error:
            said = str(error).splitlines()[0]
            raise WrongInputError(f"{what} is no JSON Schema ({said}): correct it") from error

    @property
    def instruction(self) -> str:
        """What the model is told; the same every time, so that DeepSeek's cache holds it."""
        return INSTRUCTION + orjson.dumps(self._document).decode()

    def trouble_of(self, answer: Answer) -> str:
        """What of an answer does not fit, for the model's eyes; empty where all of it fits."""
        try:
            document = orjson.loads(answer.text)
        except orjson.JSONDecodeError as error:
            cut = "it was cut by max_tokens" if answer.finish_reason == "length" else error.msg
            return f"it is no JSON ({cut})"
        found = [
            f"{'/'.join(map(str, error.instance_path)) or 'the whole'}: {error.message[:_LONGEST_NAMED]}"
            for error, _ in zip(self._validator.iter_errors(document), range(_MOST_NAMED), strict=False)
        ]
        return "; ".join(found)


def schema_in(path: Path) -> Schema:
    """The schema in a file.

    Raises:
        WrongInputError: it can't be read, or is no JSON Schema.
    """
    try:
        return Schema(path.read_bytes(), str(path))
    except OSError as error:
        raise WrongInputError(
            f"{path} can't be read ({error.strerror}): give a file with a JSON Schema"
        ) from error


def asking_anew(line: Line, answer: Answer, trouble: str) -> Line:
    """The line once more, with its answer and what is wrong with it."""
    assert not isinstance(line.prompt, str)  # noqa: S101 -- a line with a schema is a chat
    turn: list[dict[str, Any]] = [
        {"role": "assistant", "content": answer.text},
        {"role": "user", "content": _AGAIN.format(trouble=trouble)},
    ]
    return Line([*line.prompt, *turn], line.key, line.fields, line.retry, line.type)


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"{uri} would have to be fetched: write what it stands for into the schema itself")
