"""Every way an upstream call can fail, mapped once to an error of the fleet.

Statuses: https://api-docs.deepseek.com/quick_start/error_codes
"""

from dataclasses import dataclass, replace

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError, UpstreamAnswer


@dataclass(frozen=True, slots=True)
class _Meaning:
    code: ErrorCode
    again: bool
    message: str


_STATUSES: dict[int, _Meaning] = {
    400: _Meaning(
        ErrorCode.UPSTREAM_REJECTED,
        again=False,
        message="DeepSeek refused the request (400): correct what upstream.message names",
    ),
    401: _Meaning(
        ErrorCode.UNAUTHORIZED,
        again=False,
        message="DeepSeek refused the API key (401): set DEEPSEEK_API_KEY to a valid one",
    ),
    402: _Meaning(
        ErrorCode.INSUFFICIENT_BALANCE,
        again=False,
        message="the DeepSeek account is empty (402): top it up",
    ),
    403: _Meaning(
        ErrorCode.UPSTREAM_REJECTED,
        again=False,
        message="DeepSeek forbade this call (403): see upstream.message, or ask DeepSeek's support",
    ),
    404: _Meaning(
        ErrorCode.UPSTREAM_REJECTED,
        again=False,
        message="the upstream has no such model or path (404): check model, and DEEPSEEK_BASE_URL",
    ),
    408: _Meaning(
        ErrorCode.UPSTREAM_UNAVAILABLE,
        again=True,
        message="DeepSeek did not get the request in time (408): ask again later",
    ),
    413: _Meaning(
        ErrorCode.TOO_LARGE,
        again=False,
        message="the request is larger than DeepSeek takes (413): send less text",
    ),
    422: _Meaning(
        ErrorCode.UPSTREAM_REJECTED,
        again=False,
        message="DeepSeek refused a parameter (422): correct what upstream.message names",
    ),
    429: _Meaning(
        ErrorCode.RATE_LIMITED,
        again=True,
        message="the DeepSeek account's limit is reached (429): ask again later",
    ),
}


def refused(status: int, upstream: UpstreamAnswer, retry_after_s: float | None = None) -> CompletionError:
    """The error for a status that is not 200."""
    meaning = _STATUSES.get(status) or _by_class(status)
    if meaning.code is ErrorCode.UNAUTHORIZED:
        # DeepSeek's own words here hold the last four characters of the fleet's key.
        upstream = replace(upstream, message=None)
    return CompletionError(meaning.code, meaning.message, meaning.again, retry_after_s, upstream)


def _by_class(status: int) -> _Meaning:
    if 300 <= status < 400:  # noqa: PLR2004 - status classes are what they are
        return _Meaning(
            ErrorCode.UPSTREAM_UNAVAILABLE,
            again=False,
            message=f"the upstream redirects calls ({status}): set DEEPSEEK_BASE_URL to where it points",
        )
    if 400 <= status < 500:  # noqa: PLR2004
        return _Meaning(
            ErrorCode.UPSTREAM_REJECTED,
            again=False,
            message=f"DeepSeek refused the request ({status}): correct what upstream.message names",
        )
    return _Meaning(
        ErrorCode.UPSTREAM_UNAVAILABLE,
        again=True,
        message=f"DeepSeek is overloaded or broken ({status}): ask again later",
    )


def unreachable() -> CompletionError:
    """The error for a connection that could not be made, or broke before an answer began."""
    return CompletionError(
        ErrorCode.UPSTREAM_UNAVAILABLE,
        "DeepSeek could not be reached, or hung up before it answered: check the network, ask again later",
        again=True,
    )


def starved() -> CompletionError:
    """The error for a connection that this process may not open: nobody else is to blame."""
    return CompletionError(
        ErrorCode.OVERLOADED,
        "the fleet's worker has no file descriptor left for a connection: ask again later",
        again=True,
    )


def interrupted(what: str, upstream: UpstreamAnswer | None = None) -> CompletionError:
    """The error for an answer that began and is not whole; `what` says how it broke, without its text."""
    return CompletionError(
        ErrorCode.UPSTREAM_INTERRUPTED, f"DeepSeek's answer {what}: ask again", again=True, upstream=upstream
    )


def packed() -> CompletionError:
    """The error for an answer that is compressed, though the call asked for one that is not."""
    return CompletionError(
        ErrorCode.UPSTREAM_UNAVAILABLE,
        "the upstream compresses its answers unasked: switch that off in what is at DEEPSEEK_BASE_URL",
        again=False,
    )


def silent(clock: str, seconds: float) -> CompletionError:
    """The error for a clock that rang."""
    return CompletionError(
        ErrorCode.UPSTREAM_TIMEOUT,
        f"DeepSeek was silent for too long (the {clock} clock of {seconds:g} s rang): ask again later",
        again=True,
    )


def unserved(model: str) -> CompletionError:
    """The error for a model that no upstream of the fleet has."""
    return CompletionError(
        ErrorCode.UPSTREAM_REJECTED,
        f"no upstream of the fleet serves the model {model[:100]}: use another one, or have it added",
        again=False,
    )


def unsupported(feature: str) -> CompletionError:
    """The error for a request that this upstream is known to be unable to answer."""
    return CompletionError(
        ErrorCode.UPSTREAM_REJECTED,
        f"no upstream that the fleet has for this model knows {feature}: leave it out, or use another model",
        again=False,
    )


def deadline_passed() -> CompletionError:
    """The error for a request whose own deadline passed."""
    return CompletionError(
        ErrorCode.DEADLINE_EXCEEDED,
        "the request's deadline passed before the answer was whole: ask again with more time",
        again=False,
    )


def too_large(limit_bytes: int) -> CompletionError:
    """The error for an answer that is larger than a reply may be."""
    return CompletionError(
        ErrorCode.TOO_LARGE,
        f"the answer is larger than {limit_bytes // 2**20} MiB: lower max_tokens or ask for no logprobs",
        again=False,
    )
