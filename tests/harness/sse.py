"""Reading what the simulator sends, and asking for it."""

from typing import Any

import orjson

QUESTION = "How do quorum queues survive a broker restart?"


def a_chat(question: str = QUESTION, **changes: Any) -> dict[str, Any]:
    """A streamed chat body."""
    messages = [{"role": "user", "content": question}]
    return {"model": "deepseek-flash", "messages": messages, "stream": True, **changes}


def chunks_in(stream: str) -> list[dict[str, Any]]:
    """The JSON messages of a stream, in order."""
    lines = stream.splitlines()
    return [orjson.loads(line[6:]) for line in lines if line.startswith("data: {")]


def text_in(chunks: list[dict[str, Any]]) -> tuple[str, str]:
    """The reasoning and the content that chunks add up to."""
    deltas: list[dict[str, Any]] = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    reasoning = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    return reasoning, "".join(delta.get("content") or "" for delta in deltas)
