"""Pure: which address a request is POSTed to."""

from typing import Any, cast
from urllib.parse import urlsplit

from fleet_contracts.grammar import RequestType
from fleet_worker.request import Request


class Endpoints:
    """The addresses below one base URL.

    `https://api.deepseek.com` and `https://api.deepseek.com/v1` mean the same to DeepSeek, and its beta
    features are found at `https://api.deepseek.com/beta`, so a trailing `/v1` is dropped for them. A base URL
    that ends in `/beta` serves everything. A server that speaks the same API but keeps everything below one
    base, such as `http://host:8000/v1`, needs that base as `beta_url` too.
    Source: https://api-docs.deepseek.com

    Args:
        base_url: Where `/chat/completions` is.
        beta_url: Where `/completions` and the beta features of `/chat/completions` are.

    Raises:
        ValueError: a URL is none that can be called.
    """

    def __init__(self, base_url: str, beta_url: str | None = None) -> None:
        base = _checked(base_url)
        beta = _checked(beta_url) if beta_url else _beta_of(base)
        self._chat = f"{base}/chat/completions"
        self._beta_chat = f"{beta}/chat/completions"
        self._completions = f"{beta}/completions"
        root = base.removesuffix("/beta")
        self.models = f"{root}/models"
        """Which models are served."""
        self.balance = f"{root}/user/balance"
        """What is left on the account."""

    def of(self, request: Request) -> str:
        """Where this request goes."""
        if request.type is RequestType.FIM:
            return self._completions
        return self._beta_chat if _needs_beta(request.body) else self._chat


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(
            "the base URL must start with http:// or https:// and name a host: set DEEPSEEK_BASE_URL"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the base URL must hold no user, password, query or fragment: set DEEPSEEK_BASE_URL without "
            "them, and put the key into DEEPSEEK_API_KEY"
        )
    return url.rstrip("/")


def _beta_of(base: str) -> str:
    return base if base.endswith("/beta") else f"{base.removesuffix('/v1')}/beta"


def _needs_beta(body: dict[str, Any]) -> bool:
    return continues_prefix(body.get("messages")) or is_strict(body.get("tools"))


def continues_prefix(messages: Any) -> bool:
    """Whether the last message is the beginning of the answer."""
    if not isinstance(messages, list) or not messages:
        return False
    return _flag(cast("list[Any]", messages)[-1], "prefix")


def is_strict(tools: Any) -> bool:
    """Whether a function's arguments have to fit its schema."""
    if not isinstance(tools, list):
        return False
    return any(
        _flag(tool, "strict")
        or (isinstance(tool, dict) and _flag(cast("Any", tool).get("function"), "strict"))
        for tool in cast("list[Any]", tools)
    )


def _flag(fields: Any, name: str) -> bool:
    return isinstance(fields, dict) and cast("dict[str, Any]", fields).get(name) is True
