"""The answer objects of DeepSeek that a result carries whole.

The fleet passes them on as they came, so every model here keeps fields it doesn't know.
Source: https://api-docs.deepseek.com/api/create-chat-completion
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Index = Annotated[int, Field(description="Always 0: there is one choice")]
FinishReason = Annotated[
    str, Field(description="stop, length (cut by max_tokens), tool_calls or content_filter, or a later word")
]
Logprobs = Annotated[
    dict[str, Any] | None, Field(description="Log probabilities of the tokens, if asked for")
]
CompletionId = Annotated[str, Field(description="DeepSeek's own ID of the completion")]
Created = Annotated[int, Field(description="When DeepSeek began it, in Unix seconds")]
AnsweringModel = Annotated[str, Field(description="The model that answered")]


class Answer(BaseModel):
    """A part of DeepSeek's answer: known fields are typed, unknown ones are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Usage(Answer):
    """What a call cost, in tokens. Reasoning tokens are a part of `completion_tokens`."""

    prompt_tokens: Annotated[int, Field(description="Tokens of the input")]
    completion_tokens: Annotated[int, Field(description="Tokens of the output, thinking included")]
    total_tokens: Annotated[int, Field(description="Both together")]
    prompt_cache_hit_tokens: Annotated[
        int | None, Field(description="Tokens of the input that DeepSeek had in its cache")
    ] = None
    prompt_cache_miss_tokens: Annotated[
        int | None, Field(description="Tokens of the input that it had not")
    ] = None


class FunctionCall(Answer):
    """The function that a tool call names; `arguments` is JSON as the model wrote it, and may be broken."""

    name: Annotated[str, Field(description="The function to run")]
    arguments: Annotated[str, Field(description="Its arguments: JSON as the model wrote it, unchecked")]


class ToolCall(Answer):
    """A call of one of the caller's tools, to be run by the caller."""

    id: Annotated[str, Field(description="Send it back as `tool_call_id` with what the tool returned")]
    type: Annotated[Literal["function"], Field(description="Always function")] = "function"
    index: Annotated[int | None, Field(description="Number of the call in this answer, from 0")] = None
    function: Annotated[FunctionCall, Field(description="What to run")]


class AnswerMessage(Answer):
    """The assistant's message."""

    role: Annotated[str, Field(description="Always assistant")] = "assistant"
    content: Annotated[str | None, Field(description="The answer; null where it only calls tools")] = None
    reasoning_content: Annotated[
        str | None, Field(description="What the model thought before it answered")
    ] = None
    tool_calls: Annotated[list[ToolCall] | None, Field(description="Calls of the caller's tools")] = None


class Choice(Answer):
    """The one choice of a chat completion."""

    index: Index
    message: Annotated[AnswerMessage, Field(description="The answer")]
    finish_reason: FinishReason
    logprobs: Logprobs = None


class ChatCompletion(Answer):
    """A whole `chat.completion`, as DeepSeek returns it unstreamed."""

    id: CompletionId
    object: Annotated[Literal["chat.completion"], Field(description="Tells a chat from a text completion")]
    created: Created
    model: AnsweringModel
    choices: Annotated[list[Choice], Field(min_length=1, description="The answer, always one choice")]
    usage: Annotated[Usage | None, Field(description="Tokens; null where DeepSeek sent none")] = None
    system_fingerprint: Annotated[
        str | None, Field(description="DeepSeek's name for the configuration that answered")
    ] = None


class TextChoice(Answer):
    """The one choice of a text completion."""

    index: Index
    text: Annotated[str, Field(description="The text between prompt and suffix")]
    finish_reason: FinishReason
    logprobs: Logprobs = None


class TextCompletion(Answer):
    """A whole `text_completion`, the answer to `fim.v1`."""

    id: CompletionId
    object: Annotated[Literal["text_completion"], Field(description="Tells a text from a chat completion")]
    created: Created
    model: AnsweringModel
    choices: Annotated[list[TextChoice], Field(min_length=1, description="The answer, always one choice")]
    usage: Annotated[Usage | None, Field(description="Tokens; null where DeepSeek sent none")] = None
