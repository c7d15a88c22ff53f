"""Pure: the chunks of a streamed answer in, deltas out, and at the end the answer as it comes unstreamed."""

from typing import Any, cast

from fleet_contracts.grammar import RequestType
from fleet_worker.completion import Delta
from fleet_worker.deepseek.message import MessageParts
from fleet_worker.deepseek.shapes import Json, as_list, as_object
from fleet_worker.deepseek.usage import usage_of

_PER_LOGPROB = 256
_PER_FIELD = 256
_ENVELOPE_BYTES = 512
"""What a chunk without much in it has, which replaces what the last one had."""
_OF_STREAMS_ONLY = frozenset({"delta", "text", "logprobs"})


class Assembly:
    """Puts one streamed answer together.

    Fields that it doesn't know are kept: of a chunk and of a choice the last value, of a message the text
    joined. Source of the chunks' shape: https://api-docs.deepseek.com/api/create-chat-completion
    """

    __slots__ = (
        "_chat",
        "_choice",
        "_head",
        "_logprob_count",
        "_logprobs",
        "_parts",
        "finish_reason",
        "size",
        "usage",
    )

    def __init__(self, type_: RequestType) -> None:
        self._chat = type_ is RequestType.CHAT
        self._head: Json = {}
        self._choice: Json = {}
        self.usage: Json | None = None
        """What the call used; None until the upstream told it."""
        self._logprobs: dict[str, Any] | None = None
        self._logprob_count = 0
        self.size = 0
        """About how many characters are held, at least as many as are."""
        self._parts = MessageParts()
        self.finish_reason: Any = None
        """As the upstream says it; None until it came."""

    def add(self, chunk: Json, size_bytes: int = 0) -> Delta | None:
        """Take one chunk; None where it holds no content, as a role preamble and a chunk of usage don't.

        Args:
            chunk: as the upstream sent it.
            size_bytes: how long it was on the wire. What is large counts whole, whatever it holds.

        Raises:
            ShapeError: it is no chunk.
        """
        before = self._counted()
        delta = self._add(chunk)
        self.size += max(self._counted() - before, size_bytes - _ENVELOPE_BYTES)
        return delta

    def _counted(self) -> int:
        fields = len(self._head) + len(self._choice) + len(self._logprobs or ()) + self._parts.fields
        return self._parts.characters + self._logprob_count * _PER_LOGPROB + fields * _PER_FIELD

    def _add(self, chunk: Json) -> Delta | None:
        self._head.update(chunk)
        if usage := chunk.get("usage"):
            self.usage = usage_of(usage)
        choices = as_list(chunk.get("choices"))
        if not choices:
            return None
        choice = as_object(choices[0])
        self._choice.update(choice)
        if finish_reason := choice.get("finish_reason"):
            self.finish_reason = finish_reason
        fields = self._parts.add(self._delta_of(choice))
        logprobs = choice.get("logprobs")
        if logprobs is not None:
            return self._with_logprobs(fields, as_object(logprobs))
        return Delta(fields) if fields else None

    def add_text(self, field: str, text: str, size_bytes: int = 0) -> Delta:
        """Take a chunk that differs from the last one by the text of one field alone.

        Args:
            field: of which the last chunk held text.
            text: not empty.
            size_bytes: as `add` takes it.
        """
        self._parts.join(field, text)
        self.size += max(len(text), size_bytes - _ENVELOPE_BYTES)
        return Delta({field: text})

    def response(self) -> Json:
        """The whole `chat.completion` or `text_completion`."""
        choice = {name: value for name, value in self._choice.items() if name not in _OF_STREAMS_ONLY}
        answer = {"message": self._parts.message()} if self._chat else {"text": self._parts.text("content")}
        whole = {
            **self._head,
            "object": "chat.completion" if self._chat else "text_completion",
            "choices": [
                {**choice, **answer, "logprobs": self._logprobs, "finish_reason": self.finish_reason}
            ],
        }
        if self.usage or "usage" in whole:
            whole["usage"] = self.usage
        return whole

    def partial(self) -> dict[str, str]:
        """The text so far, by field."""
        texts = {name: self._parts.text(name) for name in ("content", "reasoning_content")}
        return {name: text for name, text in texts.items() if text}

    def _delta_of(self, choice: Json) -> Json:
        if self._chat:
            return as_object(choice.get("delta"))
        return {"content": choice.get("text")}

    def _with_logprobs(self, fields: Json, logprobs: Json) -> Delta | None:
        if self._logprobs is None:
            self._logprobs = {}
        some = False
        for name, value in logprobs.items():
            entries: list[Any] = cast("list[Any]", value) if isinstance(value, list) else []
            cast("list[Any]", self._logprobs.setdefault(name, [])).extend(entries)
            self._logprob_count += len(entries)
            some = some or bool(entries)
        return Delta(fields, logprobs) if fields or some else None
