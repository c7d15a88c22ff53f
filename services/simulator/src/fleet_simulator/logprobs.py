"""Log probabilities: invented, steady for a token, and in the shape of the API reference."""

import zlib
from collections.abc import Sequence

from fleet_simulator.answers import Answer

_ALTERNATIVES = (" the", " a", " it", ",", ".", " of", " and", " to", " in", " is")


def token_logprob(token: str, alternatives: int) -> dict[str, object]:
    """One token's entry, with that many alternatives."""
    own = _entry(token, _probability(token))
    others = [_entry(word, _probability(word) - 1.0 - place) for place, word in enumerate(_ALTERNATIVES)]
    top = [own, *(entry for entry in others if entry["token"] != token)] * (1 + alternatives // 10)
    return {**own, "top_logprobs": top[:alternatives]}


def chunk_logprobs(token: str, *, reasoning: bool, thinks: bool, alternatives: int) -> dict[str, object]:
    """The `logprobs` of a chunk: reasoning tokens have a list of their own."""
    entries = [token_logprob(token, alternatives)]
    if not thinks:
        return {"content": entries}
    empty = None
    return {"content": empty if reasoning else entries, "reasoning_content": entries if reasoning else empty}


def answer_logprobs(answer: Answer, alternatives: int) -> dict[str, object]:
    """The `logprobs` of a whole answer."""
    content: dict[str, object] = {"content": _list(answer.content, alternatives)}
    if answer.reasoning is None:
        return content
    return {**content, "reasoning_content": _list(answer.reasoning, alternatives)}


def _list(tokens: Sequence[str], alternatives: int) -> list[dict[str, object]]:
    return [token_logprob(token, alternatives) for token in tokens]


def _entry(token: str, logprob: float) -> dict[str, object]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _probability(token: str) -> float:
    return -(zlib.crc32(token.encode()) % 1000) / 1000
