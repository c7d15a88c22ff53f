"""`conversation`: the way to the histories that the fleet keeps."""
# ruff: noqa: A002 -- `id` is the word that callers use; an editor shows them every argument of a call

from collections.abc import Iterable, Mapping
from typing import Any

from fleet_client.asking import DEFAULT_MODEL
from fleet_client.conversation import DEFAULT_ROUNDS, Asks, Conversation
from fleet_client.errors import InvalidRequest
from fleet_client.opening import Opening
from fleet_client.request import Fields, Message, Request, build
from fleet_client.tools import Tool, Tools
from fleet_contracts import RequestType


class Conversing(Opening):
    """`conversation`."""

    def conversation(
        self,
        id: str,
        *,
        system: str | None = None,
        model: str = DEFAULT_MODEL,
        tools: Iterable[Tool] = (),
        max_rounds: int = DEFAULT_ROUNDS,
        tenant: str | None = None,
        thinking: bool | Message | None = None,
        **fields: Any,
    ) -> Conversation:
        """A conversation that the fleet keeps, whether or not anything was said in it yet. Asks nothing.

        Args:
            id: its name: 1 to 255 printable bytes. Each tenant has names of its own.
            system: the system prompt; where it differs from the one that is kept it takes its place.
            model: `deepseek-flash` or `deepseek-v4-pro`.
            tools: functions with type hints, called here when the model asks for them: a plain function in a
                thread, a coroutine function on this loop. Or tools in DeepSeek's shape, whose calls you
                answer by `send`.
            max_rounds: how often in one `send` results go back to the model; then it has to answer in words.
            tenant: whose conversation, where it is not the `Fleet`'s own tenant's.
            thinking: as in `complete`.
            **fields: fields of DeepSeek's request for every turn.

        Raises:
            InvalidRequest: a function can't be a tool.
        """
        try:
            ready = Tools(tools)
        except TypeError as error:
            raise InvalidRequest(f"{error}.") from error
        given: Fields = fields if thinking is None else {**fields, "thinking": thinking}
        asks = Asks(
            turn=lambda body, terms: self._opened.events(
                self._request(RequestType.CHAT, body, tenant, terms)
            ),
            about=lambda action, terms: self._opened.history(
                self._request(RequestType.CONVERSATION, {"action": str(action)}, tenant, terms)
            ),
            time_s=self._timeout_s,
        )
        return Conversation(asks, id, system, model, ready, max_rounds, given)

    def _request(
        self, kind: RequestType, body: Fields, tenant: str | None, terms: Mapping[str, Any]
    ) -> Request:
        others = dict(terms)
        correlation_id, timeout_s = others.pop("id", None), others.pop("timeout_s", self._timeout_s)
        return build(kind, body, self._terms(correlation_id, tenant, timeout_s, **others), self._now_ms())
