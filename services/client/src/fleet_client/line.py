"""One line of a batch: what it asks, and the ID under which that is the same request in every run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fleet_client.errors import FleetError, InvalidRequest
from fleet_client.outcome import Outcome
from fleet_client.request import Fields, Prompt, Request, chat_fields, encoded, fim_fields, of_body
from fleet_client.terms import Terms
from fleet_contracts import RequestType

_READABLE = re.compile(r"[\x21-\x7e]{1,100}")
_DIGEST_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch. Its `repr` shows no prompt.

    Attributes:
        prompt: a text, or DeepSeek's `messages`; of a fill in the middle, the text before the gap.
        key: the line's own word in the batch, by which its outcome is known; its number, from 1, where empty.
        fields: anything else of DeepSeek's request, as in `{"model": "deepseek-v4-pro", "max_tokens": 200}`.
        retry: count up from 0 to ask anew a line that ended in an error.
        type: `chat.v1`, or `fim.v1` for a fill in the middle.
    """

    prompt: Prompt = field(repr=False)
    key: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    retry: int = 0
    type: RequestType = RequestType.CHAT


@dataclass(frozen=True, slots=True)
class BatchOutcome(Outcome):
    """How one line of a batch ended: with an answer, or with an error. Its `repr` shows no text.

    Attributes:
        key: the line's.
        retry: which asking of it this is.
    """

    key: str
    retry: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A line whose request is ready to be published, and the model that it asks."""

    key: str
    request: Request
    model: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that can't be a request, and why."""

    key: str
    retry: int
    error: FleetError


@dataclass(frozen=True, slots=True)
class Asking:
    """What the lines of one batch have in common."""

    name: str
    terms: Terms
    fields: Fields = field(repr=False)
    now_ms: int

    def of(self, line: str | Line, number: int) -> Ready | Refused:
        """The line's request, or why it can't be one."""
        one = Line(line) if isinstance(line, str) else line
        key = one.key or str(number)
        try:
            return self._ready(one, key)
        except FleetError as error:
            return Refused(key, one.retry, error)

    def _ready(self, line: Line, key: str) -> Ready:
        fields = _body_of(line, self.fields)
        body = encoded(fields, None)
        terms = self.terms.under(line_id(self.name, key, line.type, body), line.retry)
        return Ready(key, of_body(line.type, body, terms, self.now_ms), str(fields["model"]))


def line_id(name: str, key: str, kind: RequestType, body: bytes) -> str:
    """The correlation ID of a line: the same in every run, and another one as soon as it asks otherwise."""
    digest = sha256(b"\0".join((name.encode(), key.encode(), kind.encode(), body))).hexdigest()
    readable = key if _READABLE.fullmatch(key) else ""
    return f"{name}:{readable}:{digest[:_DIGEST_CHARACTERS]}"


def outcome_of_refused(line: Refused, tenant: str) -> BatchOutcome:
    """The outcome of a line that was never sent."""
    return BatchOutcome("", f":refused:{line.key}", tenant, "", None, line.error, line.key, line.retry)


def _body_of(line: Line, common: Fields) -> Fields:
    fields: Fields = {**common, **line.fields}
    model, thinking = fields.pop("model", None), fields.pop("thinking", None)
    if not isinstance(model, str):
        raise InvalidRequest("model must be a text, as in deepseek-flash.")
    if line.type is RequestType.FIM:
        suffix = fields.pop("suffix", None)
        if not isinstance(line.prompt, str):
            raise InvalidRequest("The prompt of a fill in the middle is a text.")
        return fim_fields(line.prompt, suffix, model, fields)
    return chat_fields(line.prompt, model, thinking, fields, stream=False)
