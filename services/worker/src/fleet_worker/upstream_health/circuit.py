"""Pure: one circuit, closed while calls make sense, open for a while when they don't."""

from dataclasses import dataclass

from fleet_worker.upstream_health.record import Change, Wait

AFTER_PROBE_S = 5.0
"""While a probe is on its way, those who come ask again so soon: it mostly ends long before its time."""


@dataclass(slots=True)
class Circuit:
    """Opens, lets one probe through when its time is over, and closes or opens anew by what that says.

    Times are monotonic seconds. The store has the same rules in circuit.lua.
    """

    open_s: float
    longest_open_s: float
    probe_s: float
    since: float | None = None
    """When the trouble began; None while closed."""
    until: float = 0.0
    opens: int = 0
    probe: str | None = None
    probe_until: float = 0.0
    code: str = ""

    @property
    def closed(self) -> bool:
        """Whether all calls are let through."""
        return self.since is None

    def admits(self, call: str, now: float) -> Wait | bool:
        """False: calls go as usual. True: go, as the probe. Otherwise how long to wait."""
        if self.since is None:
            return False
        if now < self.until:
            return Wait(self.until - now, now - self.since, self.code)
        if self.probe not in {None, call} and now < self.probe_until:
            return Wait(min(AFTER_PROBE_S, self.probe_until - now), now - self.since, self.code)
        self.probe, self.probe_until = call, now + self.probe_s
        return True

    def open(self, now: float, code: str = "") -> Change:
        """Open, for longer each time in a row."""
        change = Change.OPENED if self.since is None else Change.REOPENED
        self.since = now if self.since is None else self.since
        self.until = now + min(self.longest_open_s, self.open_s * 2**self.opens)
        self.opens = min(self.opens + 1, 30)
        self.probe, self.code = None, code
        return change

    def close(self) -> Change:
        """Let all calls through again."""
        self.since, self.opens, self.probe = None, 0, None
        return Change.CLOSED

    def probed(self, call: str, now: float, *, well: bool | None) -> Change:
        """The probe `call` has ended; `well` is None where it says nothing.

        Good news is good news from a late probe too. Bad news counts only from the one that is awaited.
        """
        if self.since is None:
            return Change.NOTHING
        if well:
            return self.close()
        if self.probe != call:
            return Change.NOTHING
        if well is None:
            self.probe = None
            return Change.NOTHING
        return self.open(now, self.code)
