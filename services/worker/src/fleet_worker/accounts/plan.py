"""What an operator writes down of accounts and upstreams: checked, with sentences that say what to do."""

from collections import Counter
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fleet_chassis.settings import HttpUrl
from fleet_worker.deepseek import KINDS, Exchange, Quirks
from fleet_worker.deepseek.quirks import Prefix, Thinking
from fleet_worker.upstream_health.keys import DEEPSEEK

MOST = 64
Name = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
Most = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ExchangePlan(_Part):
    """How a gateway exchanges the key for a session token; DeepSeek takes the key alone."""

    url: HttpUrl
    key_field: str = ""
    token_field: str = Field(default="access_token", min_length=1)
    expires_field: str = Field(default="expires_in", min_length=1)
    lifetime_s: float = Field(default=3600, gt=0)
    refresh_s: float = Field(default=60, ge=0)

    def exchange(self) -> Exchange:
        """The same, as the client wants it."""
        return Exchange(**self.model_dump())


class UpstreamPlan(_Part):
    """A server that speaks DeepSeek's API. What is not said of its quirks follows from its kind."""

    kind: Literal["deepseek", "vllm", "sglang", "openai"] = DEEPSEEK
    base_url: HttpUrl | None = None
    beta_url: HttpUrl | None = None
    models: dict[str, str] = Field(default_factory=dict[str, str])
    prices: str | None = Field(default=None, min_length=1)
    exchange: ExchangePlan | None = None
    user_id: bool | None = None
    thinking: Thinking | None = None
    thinking_argument: str | None = None
    prefix: Prefix | None = None
    fim: bool | None = None
    strict: bool | None = None
    balance: bool | None = None
    asks_usage: bool | None = None

    def quirks(self) -> Quirks:
        """In what it differs from DeepSeek."""
        names = (
            "user_id",
            "thinking",
            "thinking_argument",
            "prefix",
            "fim",
            "strict",
            "balance",
            "asks_usage",
        )
        said = {name: value for name in names if (value := getattr(self, name)) is not None}
        return KINDS[self.kind].but(models=self.models, **said)

    def serves(self, model: str) -> bool:
        """Whether it has a model; where it names none, it is believed to have all."""
        return not self.models or model in self.models


class LimitsPlan(_Part):
    """An account's own limits, for each of its models; what is not said follows the fleet's settings."""

    concurrency: Most | None = None
    rpm: Most | None = None
    tpm: Most | None = None


class AccountPlan(_Part):
    """Who pays: a key at an upstream."""

    name: Name
    upstream: Name = DEEPSEEK
    key_file: str | None = Field(default=None, min_length=1)
    key_env: str | None = Field(default=None, min_length=1)
    weight: float = Field(default=1, ge=0, le=1000)
    limits: LimitsPlan = LimitsPlan()

    @model_validator(mode="before")
    @classmethod
    def _holds_no_key(cls, given: Any) -> Any:
        if isinstance(given, dict) and {"key", "api_key"} & set(cast("dict[str, Any]", given)):
            raise ValueError(
                "a key must not stand here: name its file (key_file) or variable (key_env) instead"
            )
        return cast("Any", given)

    @model_validator(mode="after")
    def _has_one_key(self) -> "AccountPlan":
        if self.key_file and self.key_env:
            raise ValueError(f"account {self.name} has key_file and key_env: take one of them away")
        return self

    @property
    def has_key(self) -> bool:
        """Whether it says where its key is."""
        return bool(self.key_file or self.key_env)


class Plan(_Part):
    """All accounts, their upstreams, and which upstreams serve a model, the preferred ones first."""

    accounts: tuple[AccountPlan, ...] = Field(min_length=1, max_length=MOST)
    upstreams: dict[Name, UpstreamPlan] = Field(default_factory=dict[str, UpstreamPlan])
    models: dict[str, tuple[Name, ...]] = Field(default_factory=dict[str, tuple[str, ...]])

    @model_validator(mode="after")
    def _fits_together(self) -> "Plan":
        for problem in (self._twice(), self._of_accounts(), self._of_upstreams(), self._of_models()):
            if problem:
                raise ValueError(problem)
        return self

    def upstream_of(self, account: AccountPlan) -> UpstreamPlan:
        """Where an account's calls go."""
        return self.upstreams.get(account.upstream) or UpstreamPlan()

    def _twice(self) -> str | None:
        counted = Counter(account.name for account in self.accounts)
        found = [name for name, times in counted.items() if times > 1]
        return f"two accounts are named {found[0]}: give each a name of its own" if found else None

    def _of_accounts(self) -> str | None:
        for account in self.accounts:
            if account.upstream not in {DEEPSEEK, *self.upstreams}:
                return (
                    f"account {account.name} names the upstream {account.upstream}, which is not there: "
                    f"add [upstreams.{account.upstream}] with its base_url"
                )
            upstream = self.upstream_of(account)
            if not account.has_key and (upstream.kind == DEEPSEEK or upstream.exchange):
                return f"account {account.name} has no key: name its file (key_file) or variable (key_env)"
        return None

    def _of_upstreams(self) -> str | None:
        used = {account.upstream for account in self.accounts}
        for name, upstream in self.upstreams.items():
            if name not in used:
                return f'upstream {name} has no account: add [[accounts]] with upstream = "{name}"'
            if upstream.base_url is None and name != DEEPSEEK:
                return f"upstream {name} has no base_url: say where it is, as in http://host:8000/v1"
        return None

    def _of_models(self) -> str | None:
        used = {account.upstream for account in self.accounts}
        for model, names in self.models.items():
            if not names:
                return f"model {model} has no upstream: name one, or take its line away"
            for name in names:
                if name not in used:
                    return f"model {model} names the upstream {name}, which has no account: add one"
                if not self.upstreams.get(name, UpstreamPlan()).serves(model):
                    return f"model {model} is not among the models of upstream {name}: add it there"
        return None
