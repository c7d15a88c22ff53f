"""From a request to its answer: reasoning, text, perhaps a tool call, and why it ended."""

import random
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from fleet_simulator import tokens
from fleet_simulator.config import DEFAULT_LENGTHS, Lengths
from fleet_simulator.context import Json
from fleet_simulator.faults import Kind, Plan
from fleet_simulator.json_text import json_answer
from fleet_simulator.requests import ChatRequest, FimRequest, chat_request, fim_request
from fleet_simulator.text import Subject, code_text, content_text, reasoning_text, subject_of
from fleet_simulator.tool_arguments import arguments_for

_ID_LETTERS = string.ascii_letters + string.digits
_EFFORT_FACTOR = {"low": 0.5, "high": 1.0, "max": 2.0}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function, its arguments cut into fragments."""

    id: str
    name: str
    fragments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """All tokens of an answer. `reasoning` is None with thinking off."""

    reasoning: tuple[str, ...] | None
    content: tuple[str, ...]
    tool_call: ToolCall | None = None
    finish_reason: str = "stop"

    @property
    def reasoning_tokens(self) -> int:
        """How many tokens were thought."""
        return len(self.reasoning or ())

    @property
    def completion_tokens(self) -> int:
        """How many tokens were written, reasoning included."""
        arguments = self.tool_call.fragments if self.tool_call else ()
        return self.reasoning_tokens + len(self.content) + len(arguments)


def expected_text(body: Mapping[str, Any], lengths: Lengths = DEFAULT_LENGTHS) -> tuple[str, str]:
    """The reasoning and the content that a chat body is answered with, to the last byte.

    Args:
        body: What is posted to `/chat/completions`.
        lengths: The simulator's lengths, if they were changed.
    """
    answer = compose(chat_request(body), lengths)
    return "".join(answer.reasoning or ()), "".join(answer.content)


def expected_completion(body: Mapping[str, Any], lengths: Lengths = DEFAULT_LENGTHS) -> str:
    """The text that a body posted to `/beta/completions` is answered with."""
    return "".join(complete(fim_request(body), lengths).content)


def compose(request: ChatRequest, lengths: Lengths) -> Answer:
    """Answer a chat request."""
    chance = request.chance()
    subject = subject_of(request.question)
    reasoning = _think(request, subject, lengths, chance)
    called = _called_tool(request)
    content = "" if called else _speak(request, subject, lengths, chance)
    if request.prefix is not None:
        reasoning, content = _continue(request.prefix, reasoning, content)
    answer = Answer(
        None if reasoning is None else tuple(tokens.split(reasoning)),
        tuple(tokens.split(content)),
        _tool_call(called, subject, chance) if called else None,
        "tool_calls" if called else "stop",
    )
    return shorten(_stop_at(answer, request.stops), request.max_tokens)


def complete(request: FimRequest, lengths: Lengths) -> Answer:
    """Fill a gap."""
    chance = request.chance()
    written = code_text(chance.randint(*lengths.content), chance)
    answer = Answer(None, tuple(tokens.split(written)))
    return shorten(_stop_at(answer, request.stops), request.max_tokens)


def altered(answer: Answer, plan: Plan) -> Answer:
    """The answer with the faults that change what the model says."""
    if Kind.BLANK_CONTENT in plan:
        answer = blanked(answer)
    if fault := plan.get(Kind.FINISH_REASON):
        spared = answer.completion_tokens if fault.after_chunks is None else fault.after_chunks
        answer = replace(shorten(answer, spared), finish_reason=fault.finish_reason)
    return answer


def blanked(answer: Answer) -> Answer:
    """The answer with spaces in place of its content: what the API does with JSON it cannot recognise."""
    return replace(answer, content=(" ",) * len(answer.content))


def shorten(answer: Answer, most: int) -> Answer:
    """At most `most` tokens: the reasoning is counted first, so a small number leaves no answer at all."""
    if answer.completion_tokens <= most:
        return answer
    reasoning = None if answer.reasoning is None else answer.reasoning[:most]
    left = most - len(reasoning or ())
    content = answer.content[:left]
    call = answer.tool_call
    if call:
        left -= len(content)
        call = replace(call, fragments=call.fragments[:left]) if left else None
    return Answer(reasoning, content, call, "length")


def _think(request: ChatRequest, subject: Subject, lengths: Lengths, chance: random.Random) -> str | None:
    if not request.thinks:
        return None
    length = int(chance.randint(*lengths.reasoning) * _EFFORT_FACTOR.get(request.effort, 1.0))
    return reasoning_text(subject, length, chance)


def _speak(request: ChatRequest, subject: Subject, lengths: Lengths, chance: random.Random) -> str:
    if request.wants_json:
        return json_answer(subject, request.instructions, chance)
    return content_text(subject, chance.randint(*lengths.content), chance)


def _continue(prefix: Json, reasoning: str | None, content: str) -> tuple[str | None, str]:
    # Only what is still missing: the text sent in comes back as input, never as output.
    thought, said = prefix.get("reasoning_content") or "", prefix.get("content") or ""
    rest = content.removeprefix(said)
    if reasoning is None:
        return None, rest
    if said:
        return "", rest
    return (reasoning[len(thought) :] if reasoning.startswith(thought) else ""), rest


def _stop_at(answer: Answer, stops: tuple[str, ...]) -> Answer:
    said = "".join(answer.content)
    found = [at for at in (said.find(stop) for stop in stops if stop) if at >= 0]
    if not found:
        return answer
    return replace(answer, content=tuple(tokens.split(said[: min(found)])), finish_reason="stop")


def _called_tool(request: ChatRequest) -> Json | None:
    choice = request.body.get("tool_choice") or "auto"
    if not request.tools or choice == "none":
        return None
    # Left alone, a user's turn is answered with a call and a tool's turn with text: a round trip that ends.
    if choice == "auto" and request.messages[-1]["role"] != "user":
        return None
    functions = [cast("Json", tool["function"]) for tool in request.tools]
    named = _named(choice) or _said(request.question, functions)
    return next((function for function in functions if function["name"] == named), functions[0])


def _said(question: str, functions: Sequence[Json]) -> object:
    """The function whose whole name, in words, stands in the question: "talk to a person"."""
    names = [function["name"] for function in functions]
    said = (name for name in names if re.search(rf"\b{name.replace('_', ' ')}\b", question, re.IGNORECASE))
    return next(said, None)


def _named(choice: object) -> object:
    return cast("Json", choice).get("function", {}).get("name") if isinstance(choice, dict) else None


def _tool_call(function: Json, subject: Subject, chance: random.Random) -> ToolCall:
    arguments = arguments_for(function.get("parameters") or {}, subject, chance)
    number = "".join(chance.choices(_ID_LETTERS, k=24))
    return ToolCall(f"call_00_{number}", function["name"], tuple(tokens.split(arguments)))
