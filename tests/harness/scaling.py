"""The autoscaler's rules as the chart renders them, and loads to try them on."""

import json
import math
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

from harness.charts import HELM_FOLDER, manifests_in
from model.autoscaling import Rules
from model.scaled_fleet import Load, Model, Workers

SCALED = HELM_FOLDER / "rendered/large.yaml"
PICTURE = HELM_FOLDER.parent / "autoscaling.svg"
RECORDED = Path(__file__).parents[1] / "model/recorded.json"
"""What two real workers made of a load: `bench/scaling.py` writes it."""
HOUR_S = 3600
CALL_S = 20.0
LOG_CALL_S = math.log(CALL_S)
SCHEDULED_S = 15
"""From the decision to a worker's process, its image being there: Kubernetes' part, not measured here."""


@cache
def recorded() -> dict[str, Any]:
    """The record, as `Recorded` of `bench/scaling.py` describes it."""
    return json.loads(RECORDED.read_text())


def workers_of(concurrency: int, grace_s: float) -> Workers:
    """Workers that start and end as the recorded ones did."""
    record = recorded()
    return Workers(
        concurrency=concurrency,
        grace_s=grace_s,
        starts_s=SCHEDULED_S + math.ceil(record["ready_s"]),
        ends_s=math.ceil(record["drain_s"] - record["last_call_s"]),
    )


def rules_in(manifests: Path) -> Rules:
    """What a rendered chart tells KEDA and Kubernetes."""
    found = {each["kind"]: each for each in manifests_in(manifests.read_text())}
    scaled, pod = found["ScaledObject"]["spec"], found["Deployment"]["spec"]["template"]["spec"]
    modifiers = scaled["advanced"]["scalingModifiers"]
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    up = {policy["type"]: policy for policy in behavior["scaleUp"]["policies"]}
    (down,) = behavior["scaleDown"]["policies"]
    formula = re.fullmatch(r"min\(backlog, useful \?\? (\d+)\)", modifiers["formula"])
    assert formula, "the model knows no other formula"
    settings: dict[str, Any] = next(
        each["data"]
        for each in manifests_in(manifests.read_text())
        if each["kind"] == "ConfigMap" and "FLEET_CONCURRENCY" in each["data"]
    )
    return Rules(
        least=scaled["minReplicaCount"],
        most=scaled["maxReplicaCount"],
        target=int(modifiers["target"]),
        up_percent=up["Percent"]["value"],
        up_pods=up["Pods"]["value"],
        up_period_s=up["Pods"]["periodSeconds"],
        down_window_s=behavior["scaleDown"]["stabilizationWindowSeconds"],
        down_percent=down["value"],
        down_period_s=down["periodSeconds"],
        unknown=int(formula[1]),
        failures=scaled["fallback"]["failureThreshold"],
        workers=workers_of(int(settings["FLEET_CONCURRENCY"]), pod["terminationGracePeriodSeconds"]),
    )


def _usual(_now: int, chance: random.Random) -> float:
    # Answers of a second and answers of ten minutes: the provider gives up after that.
    return min(600.0, chance.lognormvariate(LOG_CALL_S, 0.8))


def _slow(now: int, chance: random.Random) -> float:
    return min(780.0, _usual(now, chance) * (10 if HOUR_S / 2 < now < HOUR_S else 1))


def _burst(now: int) -> float:
    return 60.0 if 600 <= now < 900 else 2.0


def _noise(now: int) -> float:
    # Heavy for half a minute, nothing for the next.
    return 40.0 if now // 30 % 2 else 0.0


def _backlog(now: int) -> float:
    return 60_000.0 if now == 60 else 0.0


def _as_recorded(times: int) -> Load:
    record = recorded()
    asked, calls = record["asked"], record["calls_s"]
    return Load(
        arrivals=lambda now: times * asked[now % len(asked)],
        takes_s=lambda _now, chance: chance.choice(calls),
        models=(Model(2000),),
        lasts_s=HOUR_S,
    )


def the_recorded_one() -> Load:
    """The load that was recorded, as it was."""
    return Load(
        arrivals=lambda now: recorded()["asked"][now],
        takes_s=lambda _now, chance: chance.choice(recorded()["calls_s"]),
        models=(Model(2500),),
        lasts_s=len(recorded()["asked"]),
    )


def _a_day(now: int) -> float:
    return 20 + 18 * math.sin(2 * math.pi * now / HOUR_S)


LOADS = {
    "calm": Load(arrivals=lambda _now: 5.0, takes_s=_usual, models=(Model(2000),), lasts_s=HOUR_S),
    "a day in two hours": Load(arrivals=_a_day, takes_s=_usual, models=(Model(2000),), lasts_s=2 * HOUR_S),
    "a burst": Load(arrivals=_burst, takes_s=_usual, models=(Model(1000),), lasts_s=2 * HOUR_S),
    "noise": Load(arrivals=_noise, takes_s=_usual, models=(Model(2000),), lasts_s=HOUR_S),
    "a backlog": Load(arrivals=_backlog, takes_s=_usual, models=(Model(1200),), lasts_s=HOUR_S),
    "slow answers": Load(
        arrivals=lambda _now: 12.0, takes_s=_slow, models=(Model(2000),), lasts_s=2 * HOUR_S
    ),
    "a full model, an idle one": Load(
        arrivals=lambda now: _backlog(now) / 4 or 2.0,
        takes_s=_usual,
        models=(Model(500, share=0.97), Model(2500, share=0.03)),
        lasts_s=HOUR_S,
    ),
    "a rate": Load(arrivals=_backlog, takes_s=_usual, models=(Model(2500, a_minute=1200),), lasts_s=HOUR_S),
    "the store away": Load(
        arrivals=lambda _now: 25.0,
        takes_s=_usual,
        models=(Model(1200),),
        lasts_s=2 * HOUR_S,
        store_away=range(1800, 2700),
    ),
    "as recorded, times 15": _as_recorded(15),
}
