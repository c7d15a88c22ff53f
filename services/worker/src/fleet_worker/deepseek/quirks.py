"""Pure: in what servers that speak DeepSeek's API differ from it, and a request's body as they want it.

Sources: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html and
https://docs.vllm.ai/en/latest/features/reasoning_outputs.html (template arguments, continue_final_message),
https://docs.sglang.ai/basic_usage/openai_api_completions.html (the same names).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import orjson

from fleet_contracts.grammar import RequestType
from fleet_worker.deepseek.endpoints import continues_prefix, is_strict
from fleet_worker.deepseek.users import Users
from fleet_worker.request import Request

Thinking = Literal["field", "template", "none"]
"""How thinking is switched: by DeepSeek's field, by an argument of the chat template, or not at all."""
Prefix = Literal["field", "continue_final_message", "none"]
"""How an answer is begun for the model: by DeepSeek's field, by vLLM's and SGLang's, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What a server knows. The defaults are DeepSeek's own.

    Attributes:
        models: The fleet's name of a model to the server's own; models that are not named keep their name.
        user_id: Whether it takes `user_id`; left out of the body where not.
        thinking: How thinking is switched on and off; on where the request does not say, as at DeepSeek.
        thinking_argument: The chat template's name for it.
        prefix: How the beginning of an answer is given.
        fim: Whether it completes text (`fim.v1`).
        strict: Whether it takes functions with `strict`.
        balance: Whether it tells what is left on the account.
        asks_usage: Whether it tells a stream's usage only where `stream_options` asks for it.
    """

    models: Mapping[str, str] = field(default_factory=dict[str, str])
    user_id: bool = True
    thinking: Thinking = "field"
    thinking_argument: str = "thinking"
    prefix: Prefix = "field"
    fim: bool = True
    strict: bool = True
    balance: bool = True
    asks_usage: bool = False

    def but(self, **changes: Any) -> "Quirks":
        """These quirks with some changed."""
        return replace(self, **changes)

    def lacks(self, request: Request) -> str | None:
        """What `request` needs and this server does not have; None where it has all."""
        if request.type is RequestType.FIM:
            return None if self.fim else "fim.v1"
        if self.prefix == "none" and continues_prefix(request.body.get("messages")):
            return "prefix completion"
        if not self.strict and is_strict(request.body.get("tools")):
            return "strict functions"
        return None


DEEPSEEK = Quirks()
_SELF_HOSTED = Quirks(
    user_id=False,
    thinking="template",
    prefix="continue_final_message",
    fim=False,
    strict=False,
    balance=False,
    asks_usage=True,
)
KINDS: Mapping[str, Quirks] = {
    "deepseek": DEEPSEEK,
    "vllm": _SELF_HOSTED,
    "sglang": _SELF_HOSTED,
    "openai": Quirks(
        user_id=False, thinking="none", prefix="none", fim=False, strict=False, balance=False, asks_usage=True
    ),
}
"""What is known of each kind of server; an accounts file can say more."""


def payload_of(request: Request, quirks: Quirks, users: Users) -> bytes:
    """The body to POST: the request's own bytes where the server is like DeepSeek, but for who asks."""
    if quirks == DEEPSEEK:
        return users.payload_of(request)
    body = dict(request.body)
    body["model"] = quirks.models.get(request.model, request.model)
    if not quirks.user_id:
        body.pop("user_id", None)
    elif (user := users.user_of(request)) is not None:
        body["user_id"] = user
    if quirks.thinking != "field":
        _switch_thinking(body, quirks)
    if quirks.prefix == "continue_final_message" and continues_prefix(body.get("messages")):
        _give_prefix(body)
    if quirks.asks_usage and request.stream:
        body["stream_options"] = {**_object(body.get("stream_options")), "include_usage": True}
    return orjson.dumps(body)


def _switch_thinking(body: dict[str, Any], quirks: Quirks) -> None:
    thinking, effort = _object(body.pop("thinking", None)), body.pop("reasoning_effort", None)
    if quirks.thinking == "template" and "messages" in body:
        wanted = thinking.get("type") != "disabled" and effort != "none"
        given = _object(body.get("chat_template_kwargs"))
        body["chat_template_kwargs"] = {quirks.thinking_argument: wanted, **given}


def _give_prefix(body: dict[str, Any]) -> None:
    *before, last = cast("list[dict[str, Any]]", body["messages"])
    body["messages"] = [*before, {name: value for name, value in last.items() if name != "prefix"}]
    body["continue_final_message"] = True
    body["add_generation_prompt"] = False


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
