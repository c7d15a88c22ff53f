"""Which upstream a stack talks to. Nobody gets a bill by surprise."""

from collections.abc import Mapping
from dataclasses import dataclass

REAL_BASE_URL = "https://api.deepseek.com"


@dataclass(frozen=True)
class Upstream:
    """Where the calls go, the key they carry, and a line that says so."""

    base_url: str
    api_key: str
    line: str


def given_upstream(environ: Mapping[str, str], *, placeholder_key: str) -> Upstream | None:
    """The upstream that the environment names; None means that a simulator is to be started.

    A stand-in that needs no key gets `placeholder_key`.
    """
    base_url, api_key = environ.get("DEEPSEEK_BASE_URL", ""), environ.get("DEEPSEEK_API_KEY", "")
    if base_url:
        return Upstream(
            base_url, api_key or placeholder_key, f"upstream: {base_url}, given by DEEPSEEK_BASE_URL"
        )
    if api_key:
        line = f"upstream: {REAL_BASE_URL}, the real account of DEEPSEEK_API_KEY: every call is billed"
        return Upstream(REAL_BASE_URL, api_key, line)
    return None
