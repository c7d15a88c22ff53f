"""Calls of the worker's DeepSeek client to a running simulator."""

from typing import Any

import orjson
import pytest

from fleet_chassis.clock import SystemClock
from fleet_contracts.grammar import RequestType
from fleet_simulator import DEFAULT_KEY, Running
from fleet_worker.completion import Completion, CompletionError, Delta
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.request import Request
from harness.requests import a_request
from harness.sse import QUESTION, a_chat
from harness.upstream import soon

NO_THINKING: dict[str, Any] = {"thinking": {"type": "disabled"}}


def client_of(simulator: Running, clocks: Clocks | None = None, key: str = DEFAULT_KEY) -> DeepSeek:
    """A client with connections of its own."""
    return DeepSeek.open(Endpoints(simulator.base_url), key, clocks or Clocks(), SystemClock())


def chat(question: str = QUESTION, **changes: Any) -> Request:
    """A chat request, streamed unless the changes say otherwise."""
    body = a_chat(question, **changes)
    return a_request(body=body, payload=orjson.dumps(body), stream=body["stream"])


def fim(**changes: Any) -> Request:
    """A fill-in-the-middle request, streamed unless the changes say otherwise."""
    body = {"model": "deepseek-flash", "prompt": "def add(a, b):", "suffix": "\n", "stream": True, **changes}
    return a_request(body=body, payload=orjson.dumps(body), stream=body["stream"], type=RequestType.FIM)


async def complete(deepseek: DeepSeek, request: Request) -> tuple[Completion, list[Delta]]:
    """The completion and its deltas."""
    deltas: list[Delta] = []
    return await deepseek.complete(request, soon(), deltas.append), deltas


async def failed(deepseek: DeepSeek, request: Request | None = None) -> CompletionError:
    """The error of a call that must not succeed."""
    with pytest.raises(CompletionError) as error:
        await complete(deepseek, request or chat())
    return error.value


def joined(deltas: list[Delta], name: str) -> str:
    """The text of one field over all deltas."""
    return "".join(delta.fields.get(name, "") for delta in deltas)
