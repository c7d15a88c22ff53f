"""What a worker reads from the environment."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from fleet_chassis.redis_url import place_of
from fleet_chassis.settings import HttpUrl
from fleet_worker.telemetry_settings import TelemetrySettings

DEEPSEEK_BASE_URL = "https://api.deepseek.com"
BALANCE_LOW = 5


def _speaks_redis(url: object) -> object:
    # A stack without a store writes the name with nothing behind it.
    if url in {"", None}:
        return None
    place_of(url.get_secret_value() if isinstance(url, SecretStr) else str(url))
    return url


StoreUrl = Annotated[SecretStr | None, BeforeValidator(_speaks_redis)]


class WorkerSettings(TelemetrySettings):
    """Every setting of a worker, with its default, unit and meaning."""

    deepseek_api_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="DEEPSEEK_API_KEY",
        description="The account's API key; this, its file or an accounts file is required",
    )
    deepseek_api_key_file: str = Field(
        default="",
        validation_alias="DEEPSEEK_API_KEY_FILE",
        description="A file with the account's API key, instead; read again whenever it changes",
    )
    accounts_file: str = Field(
        default="",
        description="A TOML or JSON file that names several accounts and upstreams; as accounts.toml shows",
    )
    deepseek_base_url: HttpUrl = Field(
        default=DEEPSEEK_BASE_URL,
        validation_alias="DEEPSEEK_BASE_URL",
        description="Where DeepSeek, or what stands in for it, is",
    )
    deepseek_beta_url: HttpUrl | None = Field(
        default=None,
        validation_alias="DEEPSEEK_BETA_URL",
        description="Where fim.v1 and beta features are; /beta beside the base URL where unset",
    )
    user_id_secret: SecretStr | None = Field(
        default=None, min_length=16, description="Makes each tenant's own user_id for DeepSeek; none if unset"
    )
    redis_url: StoreUrl = Field(
        default=None,
        validation_alias="REDIS_URL",
        description="The store that workers share, as in redis://:password@host:6379/0; one worker if unset",
    )
    namespace: str = Field(
        default="fleet",
        pattern="^[A-Za-z0-9_.-]{1,64}$",
        description="What the names of all keys and channels in the store begin with",
    )
    account: str = Field(
        default="default",
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="Name of the DeepSeek account; the workers of one name share its limits",
    )
    store_timeout_s: float = Field(
        default=1, gt=0, le=4, description="Seconds for one answer of the store; below a renewal's 5"
    )
    ledger_kept_s: float = Field(
        default=86_400, ge=60, description="Seconds that an ended request is known and not paid again"
    )
    ledger_bodies_s: float = Field(
        default=86_400,
        ge=0.001,
        description="Seconds that a terminal reply is kept to be sent again; over 256 KiB at most an hour",
    )
    concurrency: int = Field(default=200, ge=1, le=10_000, description="Calls of one worker at once")
    limit_concurrency: int | None = Field(
        default=None,
        ge=1,
        description="Calls at once for each model; DeepSeek's published limit (2500, v4-pro 500) where unset",
    )
    limit_rpm: int | None = Field(
        default=None, ge=1, description="Requests a minute for each model; no limit where unset"
    )
    limit_tpm: int | None = Field(
        default=None,
        ge=1,
        description="Tokens a minute for each model, input and output; no limit where unset",
    )
    limit_start: int = Field(
        default=200,
        ge=1,
        description="Calls at once that a model begins with, until answers show that more are let in",
    )
    limit_reserve: float = Field(
        default=0.15, ge=0, lt=1, description="Share of the calls at once that the batch lane leaves free"
    )
    store_down: Literal["closed", "share"] = Field(
        default="closed",
        description="While the store is away: closed starts no call; share starts some requests in hand "
        "from places kept free at other times, uncounted by rates and budgets; they end when it is back",
    )
    store_down_permits: int = Field(
        default=1, ge=1, description="With FLEET_STORE_DOWN=share: calls at once of one worker for each model"
    )
    permit_lost: Literal["keep", "abort"] = Field(
        default="keep",
        description="A call whose permit went to others, its worker being cut off: keep, or abort and retry",
    )
    limit_waiters: int = Field(
        default=25,
        ge=1,
        description="Requests of one tenant and model that wait for a permit in one worker; more are parked",
    )
    balance_poll_s: float = Field(
        default=0,
        ge=0,
        description="Seconds between two looks of one worker at the account's balance; 0 never looks",
    )
    balance_low: float = Field(
        default=BALANCE_LOW,
        gt=0,
        description="US dollars on the account below which limits are lowered and an error is logged",
    )
    conversation_kept_s: float = Field(
        default=2_592_000, ge=60, description="Seconds that a conversation is kept after its last turn"
    )
    conversation_bytes: int = Field(
        default=4_194_304, ge=1024, le=8_388_608, description="Bytes of one; beyond, its oldest turns go"
    )
    conversation_tokens: int | None = Field(
        default=None, ge=1, description="Most tokens of a prompt; as many as the context holds where unset"
    )
    conversation_trim: Literal["oldest_turns", "never"] = Field(
        default="oldest_turns",
        description="What a conversation that is too long leaves out: oldest_turns leaves out whole turns, "
        "but no system prompt and no half of a tool exchange; with never, DeepSeek refuses it",
    )
    prices_file: str = Field(
        default="", description="A price list of your own, as JSON; DeepSeek's published one where empty"
    )
    connect_timeout_s: float = Field(default=10, gt=0, description="Seconds to connect to the upstream")
    headers_timeout_s: float = Field(default=60, gt=0, description="Seconds from the request to the headers")
    first_content_timeout_s: float = Field(
        default=660,
        gt=0,
        description="Seconds from the headers to the first text; DeepSeek itself gives up after 600",
    )
    content_gap_timeout_s: float = Field(default=120, gt=0, description="Seconds between two pieces of text")
    total_timeout_s: float = Field(default=1800, gt=0, description="Seconds for one upstream call")
    longest_request_s: float = Field(
        default=5400,
        gt=0,
        le=6600,
        description="Seconds that a request may be held; stays below the broker's consumer timeout of 7200",
    )
    attempts: int = Field(default=3, ge=1, le=10, description="Upstream calls for one request")
    retry_base_s: float = Field(default=0.5, gt=0, description="Seconds; the first pause is up to 2x as long")
    retry_longest_s: float = Field(default=20, gt=0, description="Longest pause in seconds, but Retry-After")
    retry_held_s: float = Field(
        default=30, ge=0, description="Seconds; a request whose Retry-After is longer is parked"
    )
    retry_budget: int = Field(
        default=500,
        ge=0,
        description="The fleet's tokens for repeated calls: 14 each, 5 after a 429; successes earn them",
    )
    breaker_window_s: float = Field(
        default=30, gt=0, description="Seconds of calls by which a model's breaker judges"
    )
    breaker_min_calls: int = Field(
        default=20, ge=1, description="Ended calls in that window below which it stays closed"
    )
    breaker_rate: float = Field(default=0.5, gt=0, le=1, description="Share of failed calls that opens it")
    breaker_open_s: float = Field(
        default=15, gt=0, description="Seconds it stays open; twice as long after each failed probe"
    )
    account_look_s: float = Field(
        default=15, gt=0, description="Seconds until a refused account (401, 402) is looked at again"
    )
    drain_s: float = Field(default=840, ge=0, description="Seconds for running requests to end after SIGTERM")
    strict_tenants: bool = Field(
        default=False, description="true: the tenant is the RabbitMQ user that the broker has checked"
    )
    trusted_users: str = Field(
        default="", description="RabbitMQ users, separated by commas, whose fleet-tenant header is believed"
    )
    # A pod is probed from outside, so the default listens everywhere.
    health_host: str = Field(default="0.0.0.0", description="Address of /livez, /readyz, /metrics")  # noqa: S104
    health_port: int = Field(default=9090, ge=0, le=65535, description="Port of them; 0 takes a free one")
    worker_name: str = Field(default="", description="Name in replies and logs; host and process where empty")
    plain_publish: bool = Field(
        default=False,
        description="true: chunks leave by the client library's public API; slower, for when a release of it "
        "breaks the fast way",
    )
    plain_read: bool = Field(
        default=False,
        description="true: streams are read by the HTTP library's public API; slower, for when a release of "
        "it breaks the fast way",
    )
    share_nothing: bool = Field(
        default=False,
        description="true: start beside other workers without REDIS_URL; limits then hold for each",
    )

    @model_validator(mode="after")
    def _says_who_pays(self) -> "WorkerSettings":
        key = self.deepseek_api_key.get_secret_value().strip()
        if key or self.deepseek_api_key_file or self.accounts_file:
            return self
        others = "DEEPSEEK_API_KEY_FILE, or FLEET_ACCOUNTS_FILE"
        raise ValueError(f"DEEPSEEK_API_KEY is not set; set it in the environment, or {others}")

    def trusted(self) -> frozenset[str]:
        """The trusted users as a set."""
        return frozenset(user.strip() for user in self.trusted_users.split(",") if user.strip())

    def named(self, default: str) -> "WorkerSettings":
        """These settings with a worker's name: `default` where none is set."""
        return self if self.worker_name else self.model_copy(update={"worker_name": default})
