"""A checked body as plain values: what the rest of the simulator reads."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from fleet_simulator import tokens
from fleet_simulator.context import Json, message_text, prompt_tokens, rendered
from fleet_simulator.models import served_model

_DEFAULT_MAX_TOKENS = 8192
_DEFAULT_MAX_TOKENS_THINKING = 65_536
_DEFAULT_MAX_TOKENS_MAX_EFFORT = 131_072
_EFFORTS = {"minimal": "low", "medium": "high", "xhigh": "high", "ultra": "max"}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request that passed every check."""

    body: Json
    model: str

    @property
    def messages(self) -> Sequence[Json]:
        """The conversation."""
        return cast("Sequence[Json]", self.body["messages"])

    @property
    def effort(self) -> str:
        """`none`, `low`, `high` or `max`."""
        named = self.body.get("reasoning_effort") or "high"
        return _EFFORTS.get(named, named)

    @property
    def thinks(self) -> bool:
        """Whether reasoning comes first: yes, unless it was switched off."""
        asked = _part(self.body, "thinking").get("type", "enabled")
        return asked == "enabled" and self.effort != "none"

    @property
    def max_tokens(self) -> int:
        """Most tokens of reasoning and answer together; the default depends on thinking and effort."""
        if (asked := self.body.get("max_tokens")) is not None:
            return asked
        if not self.thinks:
            return _DEFAULT_MAX_TOKENS
        return _DEFAULT_MAX_TOKENS_MAX_EFFORT if self.effort == "max" else _DEFAULT_MAX_TOKENS_THINKING

    @property
    def stream(self) -> bool:
        """Whether chunks are wanted."""
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        """Whether every chunk but the last carries `usage: null`."""
        return bool(_part(self.body, "stream_options").get("include_usage"))

    @property
    def logprobs(self) -> int | None:
        """How many alternatives to give for each token, or None for no log probabilities."""
        return (self.body.get("top_logprobs") or 0) if self.body.get("logprobs") else None

    @property
    def stops(self) -> tuple[str, ...]:
        """Where the answer has to end."""
        return stops_of(self.body)

    @property
    def tools(self) -> Sequence[Json]:
        """The functions the model may call."""
        return cast("Sequence[Json]", self.body.get("tools") or ())

    @property
    def wants_json(self) -> bool:
        """Whether the answer must be a JSON document."""
        return _part(self.body, "response_format").get("type") == "json_object"

    @property
    def prefix(self) -> Json | None:
        """The message to continue, in prefix completion."""
        last = self.messages[-1]
        return last if last["role"] == "assistant" and last.get("prefix") else None

    @property
    def question(self) -> str:
        """The text of the last user message."""
        asked = (message_text(m) for m in reversed(self.messages) if m["role"] == "user")
        return next(asked, "")

    @property
    def instructions(self) -> Sequence[str]:
        """The texts of the system messages."""
        return [message_text(m) for m in self.messages if m["role"] == "system"]

    @property
    def prompt(self) -> str:
        """The text of all user messages: what a fault may be matched by."""
        return "\n".join(message_text(m) for m in self.messages if m["role"] == "user")

    @property
    def prompt_tokens(self) -> int:
        """How long the prompt is."""
        return prompt_tokens(self.messages, self.tools)

    @property
    def context(self) -> str:
        """All that the model reads, as one text."""
        return rendered(self.messages, self.tools)

    def chance(self) -> random.Random:
        """Where the answer's words come from: the same question always gets the same answer.

        How the answer is asked for (streamed, cut short, continued) is left out, so that the parts of an
        answer fit together.
        """
        turns = self.messages[:-1] if self.prefix else self.messages
        settings = [self.model, self.thinks, self.effort, self.wants_json, self.tools]
        return seeded([*settings, [dict(turn) for turn in turns]])


@dataclass(frozen=True, slots=True)
class FimRequest:
    """A fill-in-the-middle request that passed every check."""

    body: Json
    model: str

    @property
    def prompt(self) -> str:
        """The text before the gap."""
        return self.body["prompt"]

    @property
    def max_tokens(self) -> int:
        """Most tokens to write."""
        return self.body.get("max_tokens") or 4096

    @property
    def stream(self) -> bool:
        """Whether chunks are wanted."""
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        """Whether every chunk but the last carries `usage: null`."""
        return bool(_part(self.body, "stream_options").get("include_usage"))

    @property
    def stops(self) -> tuple[str, ...]:
        """Where the text has to end."""
        return stops_of(self.body)

    @property
    def prompt_tokens(self) -> int:
        """How long prompt and suffix are."""
        return tokens.estimate(self.prompt) + tokens.estimate(self.body.get("suffix") or "")

    @property
    def context(self) -> str:
        """All that the model reads, as one text."""
        return f"<prompt>{self.prompt}<suffix>{self.body.get('suffix') or ''}"

    def chance(self) -> random.Random:
        """Where the text comes from."""
        return seeded([self.model, self.prompt, self.body.get("suffix")])


def chat_request(body: Json) -> ChatRequest:
    """The request in a body that passed the checks."""
    return ChatRequest(body, served_model(body["model"]) or body["model"])


def fim_request(body: Json) -> FimRequest:
    """The request in a body that passed the checks."""
    return FimRequest(body, served_model(body["model"]) or body["model"])


def stops_of(body: Json) -> tuple[str, ...]:
    """The stop strings of a body, given as one or as a list."""
    stop = body.get("stop") or ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def seeded(parts: Sequence[object]) -> random.Random:
    """Chance that depends on `parts` and nothing else."""
    digest = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()
    return random.Random(digest)


def _part(body: Json, name: str) -> Json:
    return cast("Json", body.get(name) or {})
