"""The limits that a worker's settings ask for."""

from fleet_worker.limiter import BEAT_S, Rules
from fleet_worker.settings import WorkerSettings

STORE_SLACK_S = 0.5


def rules_of(settings: WorkerSettings) -> Rules:
    """The rules of the limiter."""
    return Rules(
        account=settings.account,
        concurrency=settings.limit_concurrency,
        rpm=settings.limit_rpm,
        tpm=settings.limit_tpm,
        start=settings.limit_start,
        reserve=settings.limit_reserve,
        waiters=settings.limit_waiters,
        keeps_lost=settings.permit_lost == "keep",
        spare=settings.store_down_permits if settings.store_down == "share" else 0,
        # By then every living worker has beaten once, even where its first two tries were in vain.
        grace_s=BEAT_S + 2 * settings.store_timeout_s + STORE_SLACK_S,
        longest_s=settings.longest_request_s,
    )
