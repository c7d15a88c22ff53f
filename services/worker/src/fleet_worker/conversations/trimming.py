"""Pure: which turns of a history are sent, so that the model's context holds them and the answer.

The policy `oldest_turns`: the system prompt always stays; whole exchanges go, the oldest first, where one is
a turn with all the turns that bring results of its calls; what this turn adds always stays. Once something
has to go, a quarter of the room is freed at once: cutting a little in each turn would give each turn a new
prefix, and nothing in DeepSeek's cache would ever be hit again.
"""

from collections.abc import Sequence
from typing import Any

from fleet_worker.conversations.history import Said

CONTEXT_TOKENS = 1_048_576
"""Of every model that DeepSeek serves. Source: https://api-docs.deepseek.com/quick_start/pricing"""
_FREED_TO = 0.75
_ANSWER_PLAIN, _ANSWER_THINKING, _ANSWER_MAX = 8 * 1024, 64 * 1024, 128 * 1024
"""DeepSeek's default for `max_tokens`. Source: https://api-docs.deepseek.com/api/create-chat-completion"""


def room_for(body: dict[str, Any], most: int | None) -> int:
    """Tokens that the prompt of this body may have; `most` where an operator set a lower number.

    Prompt and `max_tokens` have to fit into the context together, or DeepSeek refuses the request.
    """
    room = CONTEXT_TOKENS - _answer_tokens(body)
    return room if most is None else min(room, most)


def first_sent(turns: Sequence[Said], costs: Sequence[int], fixed: int, room: int, *, goes_on: bool) -> int:
    """The place in `turns` from which on they are sent; 0 where all fit, their number where none does.

    Args:
        turns: what is sent so far.
        costs: the tokens of each.
        fixed: the tokens of what always stays.
        room: the tokens that the prompt may have.
        goes_on: whether this turn brings results, so that the newest exchange stays too.
    """
    if fixed + sum(costs) <= room:
        return 0
    starts = [place for place, said in enumerate(turns) if place == 0 or not said.goes_on]
    if not goes_on:
        starts.append(len(turns))
    for start in starts:
        if fixed + sum(costs[start:]) <= room * _FREED_TO:
            return start
    # Nothing helps: as little as may be is sent, and DeepSeek says by how much it is too long.
    return starts[-1] if starts else 0


def _answer_tokens(body: dict[str, Any]) -> int:
    asked = body.get("max_tokens")
    if isinstance(asked, int):
        return asked
    thinking: dict[str, Any] = body.get("thinking") or {}
    effort = body.get("reasoning_effort")
    if thinking.get("type") == "disabled" or effort == "none":
        return _ANSWER_PLAIN
    return _ANSWER_MAX if effort in {"max", "ultra"} else _ANSWER_THINKING
