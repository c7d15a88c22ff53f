"""The record of the upstream's health in the store, shared by the fleet."""

from fleet_chassis.store import Scripts, load_script
from fleet_worker.upstream_health.keys import listed_as, model_key, open_key, pause_key, upstream_key
from fleet_worker.upstream_health.policy import HealthPolicy
from fleet_worker.upstream_health.record import Admission, Change, Go, Look, Wait
from fleet_worker.upstream_health.signs import Sign

_HERE = "fleet_worker.upstream_health"
_ADMIT = load_script(_HERE, "circuit.lua", "admit.lua")
_REPORT = load_script(_HERE, "circuit.lua", "report.lua")
_PAUSE = load_script(_HERE, "circuit.lua", "pause.lua")
_SPEND = load_script(_HERE, "circuit.lua", "spend.lua")


class StoreHealth:
    """Every worker of an account shares this record: one opens, all stop; one probes, all go on.

    The pause is the account's. Breakers and the retry budget are its upstream's, with all accounts there.

    Asking or reporting twice under the id of one call changes nothing, for the store may do it.

    Args:
        store: Redis or Valkey; its clock counts.
        namespace: what every key of this fleet starts with.
        account: the account's name.
        policy: the numbers.
        upstream: the upstream's name; the account's where it has none of its own.
    """

    def __init__(
        self, store: Scripts, namespace: str, account: str, policy: HealthPolicy, upstream: str | None = None
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._upstream = upstream or account
        self._pause = pause_key(namespace, account)
        self._policy = policy

    async def admit(self, model: str, call: str, *, past_account: bool = False) -> Admission:
        """Whether a call of `model` makes sense now."""
        keys = (self._pause, self._model_key(model, "breaker"))
        args = (call, _ms(self._policy.probe_s), int(past_account))
        whose, what, left_ms, down_ms, code = await self._store.run(_ADMIT, keys, args)
        if what == b"wait":
            return Wait(left_ms / 1000, down_ms / 1000, code.decode())
        if whose == b"account":
            return Look(code.decode(), down_ms / 1000)
        return Go(probe=what == b"probe")

    async def report(self, model: str, call: str, sign: Sign, *, probe: bool, credit: int) -> Change:
        """Note how a call ended."""
        policy = self._policy
        keys = (
            self._model_key(model, "breaker"),
            self._model_key(model, "ended"),
            self._model_key(model, "failed"),
            self._key("budget"),
            open_key(self._namespace),
        )
        args = (
            call,
            sign.value,
            int(probe),
            credit,
            policy.budget,
            _ms(policy.window_s),
            policy.min_calls,
            policy.rate,
            _ms(policy.open_s),
            _ms(policy.longest_open_s),
            listed_as(self._upstream, model),
        )
        return Change((await self._store.run(_REPORT, keys, args)).decode())

    async def pause(self, call: str, code: str) -> bool:
        """Pause the account."""
        args = (call, code, _ms(self._policy.look_s), _ms(self._policy.longest_look_s))
        return bool(await self._store.run(_PAUSE, (self._pause,), args))

    async def heal(self) -> bool:
        """End the account's pause."""
        return bool(await self._store.command("DEL", self._pause))

    async def spend(self, call: str, cost: int) -> bool:
        """Take `cost` from the retry budget, if it holds so much."""
        keys = (self._key("budget"), self._key("spent"))
        return bool(await self._store.run(_SPEND, keys, (call, cost, self._policy.budget)))

    def _key(self, what: str) -> str:
        return upstream_key(self._namespace, self._upstream, what)

    def _model_key(self, model: str, what: str) -> str:
        return model_key(self._namespace, self._upstream, model, what)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
