"""Where the store has the upstream's health: read by those who call and by those who look."""

from typing import Final

DEEPSEEK: Final = "deepseek"
"""The upstream of accounts that name none: they share its breakers."""


def pause_key(namespace: str, account: str) -> str:
    """Whether an account is paused."""
    return f"{_of(namespace, account)}:pause"


def model_key(namespace: str, upstream: str, model: str, what: str) -> str:
    """One record of a model at an upstream."""
    return upstream_key(namespace, upstream, f"model:{model}:{what}")


def upstream_key(namespace: str, upstream: str, what: str) -> str:
    """One record of a whole upstream."""
    return f"{_of(namespace, upstream)}:{what}"


def open_key(namespace: str) -> str:
    """Which models' breakers are open, at all upstreams: `<upstream>/<model>` by when it opened last."""
    return f"{namespace}:{{upstream}}:open"


def listed_as(upstream: str, model: str) -> str:
    """The name of a breaker among those that are open. An upstream has no slash; a model may."""
    return f"{upstream}/{model}"


def _of(namespace: str, name: str) -> str:
    return f"{namespace}:{{upstream}}:{name}"
