"""Where a request goes, and with which key."""

from typing import Any

import httpx
import pytest

from fleet_contracts.grammar import RequestType
from fleet_worker.deepseek import Endpoints
from fleet_worker.deepseek.auth import auth_of
from harness.requests import BODY, a_request

_PREFIX = {
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A", "prefix": True}]
}
_STRICT = {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}


def address(base_url: str, beta_url: str | None = None, **request: Any) -> str:
    return Endpoints(base_url, beta_url).of(a_request(**request))


@pytest.mark.parametrize(
    ("base_url", "chat", "fim"),
    [
        ("https://a.test", "https://a.test/chat/completions", "https://a.test/beta/completions"),
        ("https://a.test/", "https://a.test/chat/completions", "https://a.test/beta/completions"),
        ("https://a.test/v1", "https://a.test/v1/chat/completions", "https://a.test/beta/completions"),
        ("https://a.test/v1/", "https://a.test/v1/chat/completions", "https://a.test/beta/completions"),
        ("https://a.test/beta", "https://a.test/beta/chat/completions", "https://a.test/beta/completions"),
        (
            "http://a.test:80/x/v1",
            "http://a.test:80/x/v1/chat/completions",
            "http://a.test:80/x/beta/completions",
        ),
    ],
)
def test_chat_stays_below_the_base_url_and_fim_goes_to_its_beta(base_url: str, chat: str, fim: str) -> None:
    assert address(base_url) == chat
    assert address(base_url, type=RequestType.FIM) == fim


@pytest.mark.parametrize(
    "feature",
    [_PREFIX, _STRICT, {"tools": [{"type": "function", "strict": True, "function": {"name": "f"}}]}],
)
def test_prefix_completion_and_strict_tools_go_to_the_beta(feature: dict[str, Any]) -> None:
    assert address("https://a.test/v1", body={**BODY, **feature}) == "https://a.test/beta/chat/completions"


@pytest.mark.parametrize(
    "plain",
    [
        {"messages": [*reversed(_PREFIX["messages"])]},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": False}}]},
        {"tools": None},
    ],
)
def test_anything_else_does_not(plain: dict[str, Any]) -> None:
    assert address("https://a.test", body={**BODY, **plain}) == "https://a.test/chat/completions"


def test_a_compatible_server_may_keep_the_beta_below_its_one_base() -> None:
    base = "http://a.test:8000/v1"
    assert address(base, base, type=RequestType.FIM) == "http://a.test:8000/v1/completions"
    assert address(base, base, body={**BODY, **_PREFIX}) == "http://a.test:8000/v1/chat/completions"


@pytest.mark.parametrize("base_url", ["a.test", "ftp://a.test", "https://", "amqp://a.test"])
def test_a_url_that_can_not_be_called_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="DEEPSEEK_BASE_URL"):
        Endpoints(base_url)


@pytest.mark.parametrize(
    "base_url", ["https://u:sk-1@a.test", "https://a.test?key=sk-1", "https://a.test#sk-1"]
)
def test_a_url_that_holds_a_secret_is_refused_and_not_repeated(base_url: str) -> None:
    with pytest.raises(ValueError, match="DEEPSEEK_API_KEY") as refused:
        Endpoints(base_url)
    assert "sk-1" not in str(refused.value)


def test_the_key_is_sent_as_a_bearer_and_shown_nowhere() -> None:
    auth = auth_of("sk-1\n")
    request = next(auth.auth_flow(httpx.Request("POST", "https://a.test")))
    assert request.headers["Authorization"] == "Bearer sk-1"
    assert "sk-1" not in f"{auth!r} {auth} {request!r} {request.headers!r}"


@pytest.mark.parametrize("key", ["", " \n", "sk-1\nX-Other: 1", "sk-é"])
def test_a_key_that_is_no_header_value_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="DEEPSEEK_API_KEY") as refused:
        auth_of(key)
    assert "sk-" not in str(refused.value)
