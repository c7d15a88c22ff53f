"""What a backend may ask: the bodies of `chat.v1` and `fim.v1`.

A body is the JSON that the same backend would POST to DeepSeek. Known fields are checked here, so that a
mistake costs no upstream call; unknown ones are passed on untouched.
Source of the field rules: https://api-docs.deepseek.com/api/create-chat-completion
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fleet_contracts.grammar import ConversationAction

_SUCCESSORS = {
    "deepseek-chat": 'model "deepseek-flash" with "thinking": {"type": "disabled"}',
    "deepseek-reasoner": 'model "deepseek-flash" with "thinking": {"type": "enabled"}',
}


def _refuse_retired(model: str) -> str:
    successor = _SUCCESSORS.get(model)
    if successor:
        raise ValueError(f"{model} was retired by DeepSeek on 2026-07-24; use {successor}")
    return model


ModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="DeepSeek's name of the model, as in deepseek-flash. Retired names are refused",
        json_schema_extra={"not": {"enum": [*_SUCCESSORS]}},
    ),
    AfterValidator(_refuse_retired),
]


class Body(BaseModel):
    """A request body: known fields are typed, unknown ones are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, hide_input_in_errors=True)


class Message(Body):
    """One message of a chat. `content` may be null where an assistant message only calls tools."""

    role: Annotated[Literal["system", "user", "assistant", "tool"], Field(description="Who says it")]
    content: Annotated[
        str | list[dict[str, Any]] | None, Field(description="The text, or a list of its parts")
    ] = None
    reasoning_content: Annotated[
        str | None,
        Field(description="Of an assistant message: its thinking; send it back where the request has tools"),
    ] = None
    tool_calls: Annotated[
        list[dict[str, Any]] | None, Field(description="Of an assistant message: the calls that it made")
    ] = None
    tool_call_id: Annotated[str | None, Field(description="Of a tool message: the call that it answers")] = (
        None
    )
    prefix: Annotated[
        bool | None, Field(description="Of the last message, an assistant's: the answer goes on from it")
    ] = None


class Thinking(Body):
    """Whether the model thinks before it answers; DeepSeek's default is enabled."""

    type: Annotated[Literal["enabled", "disabled"], Field(description="Whether the model thinks first")]


class StreamOptions(Body):
    """Options of a streamed answer."""

    include_usage: Annotated[
        bool | None, Field(description="Passed on; a result carries the usage in either case")
    ] = None


class ResponseFormat(Body):
    """`json_object` asks for JSON; the prompt must then contain the word json."""

    type: Annotated[Literal["text", "json_object"], Field(description="What the answer has to be")]


class _Sampling(Body):
    model: ModelName
    max_tokens: Annotated[
        int | None, Field(ge=1, description="Longest output in tokens, thinking included")
    ] = None
    temperature: Annotated[
        float | None, Field(ge=0, le=2, description="0 to 2; without effect while the model thinks")
    ] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, description="Above 0, up to 1")] = None
    frequency_penalty: Annotated[float | None, Field(description="Without effect on today's models")] = None
    presence_penalty: Annotated[float | None, Field(description="Without effect on today's models")] = None
    stop: Annotated[
        str | Annotated[list[str], Field(max_length=16)] | None,
        Field(description="Text, or up to 16 texts, at which the answer ends"),
    ] = None
    stream: Annotated[bool | None, Field(description="True: the answer also comes as chunks")] = None
    stream_options: Annotated[
        StreamOptions | None, Field(description="Only together with `stream: true`")
    ] = None


class ChatRequest(_Sampling):
    """Body of `chat.v1`: what DeepSeek's `POST /chat/completions` takes."""

    messages: Annotated[
        list[Message],
        Field(
            min_length=1,
            description="The whole chat so far; with fleet-conversation, what is new in it",
        ),
    ]
    thinking: Annotated[
        Thinking | None, Field(description="Whether the model thinks first; it does where this is left out")
    ] = None
    reasoning_effort: Annotated[
        str | None, Field(description="How much it thinks: none, low, high or max; high where left out")
    ] = None
    response_format: Annotated[ResponseFormat | None, Field(description="Asks for JSON")] = None
    tools: Annotated[
        list[dict[str, Any]] | None, Field(description="Functions that the model may ask to be run")
    ] = None
    tool_choice: Annotated[
        str | dict[str, Any] | None, Field(description="none, auto, required, or the one function to call")
    ] = None
    logprobs: Annotated[bool | None, Field(description="True: the answer has log probabilities")] = None
    top_logprobs: Annotated[
        int | None, Field(ge=0, le=20, description="How many likely tokens to list at each place")
    ] = None
    user_id: Annotated[
        str | None,
        Field(max_length=512, description="Your user: keeps DeepSeek's caches apart. No personal data"),
    ] = None
    n: Annotated[int | None, Field(ge=1, le=1, description="Only 1")] = None


class FimRequest(_Sampling):
    """Body of `fim.v1`: what DeepSeek's `POST /beta/completions` takes (fill in the middle)."""

    prompt: Annotated[str, Field(description="The text before the gap")]
    suffix: Annotated[str | None, Field(description="The text after the gap")] = None
    echo: Annotated[bool | None, Field(description="True: the answer repeats the prompt")] = None
    logprobs: Annotated[
        int | None, Field(ge=0, le=20, description="How many likely tokens to list at each place")
    ] = None


class ConversationRequest(BaseModel):
    """Body of `conversation.v1`: what to do with the conversation that `fleet-conversation` names."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    action: Annotated[
        ConversationAction,
        Field(description="history: read it; clear: forget what was said, and the system prompt too"),
    ]


class CancelRequest(BaseModel):
    """Body of `cancel.v1` on `deepseek.control`: empty; the correlation ID says which request."""

    model_config = ConfigDict(extra="ignore", frozen=True)
