"""The autoscaler's rules as the chart renders them, and loads to try them on."""

import math
import random
from pathlib import Path
from typing import Any

from harness.charts import HELM_FOLDER, manifests_in
from model.autoscaling import Load, Rules

SCALED = HELM_FOLDER / "rendered/large.yaml"
PICTURE = HELM_FOLDER.parent / "autoscaling.svg"
HOUR_S = 3600
CALL_S = 20.0


def rules_in(manifests: Path) -> Rules:
    """What a rendered chart tells KEDA and Kubernetes."""
    found = {each["kind"]: each for each in manifests_in(manifests.read_text())}
    scaled, pod = found["ScaledObject"]["spec"], found["Deployment"]["spec"]["template"]["spec"]
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    up = {policy["type"]: policy for policy in behavior["scaleUp"]["policies"]}
    (down,) = behavior["scaleDown"]["policies"]
    settings: dict[str, Any] = next(
        each["data"]
        for each in manifests_in(manifests.read_text())
        if each["kind"] == "ConfigMap" and "FLEET_CONCURRENCY" in each["data"]
    )
    return Rules(
        least=scaled["minReplicaCount"],
        most=scaled["maxReplicaCount"],
        target=int(scaled["advanced"]["scalingModifiers"]["target"]),
        concurrency=int(settings["FLEET_CONCURRENCY"]),
        up_percent=up["Percent"]["value"],
        up_pods=up["Pods"]["value"],
        up_period_s=up["Pods"]["periodSeconds"],
        down_window_s=behavior["scaleDown"]["stabilizationWindowSeconds"],
        down_percent=down["value"],
        down_period_s=down["periodSeconds"],
        grace_s=pod["terminationGracePeriodSeconds"],
    )


def _usual(_now: int, chance: random.Random) -> float:
    # Answers of a second and answers of ten minutes: the provider gives up after that.
    return min(600.0, chance.lognormvariate(math.log(CALL_S), 0.8))


def _slow(now: int, chance: random.Random) -> float:
    return min(780.0, _usual(now, chance) * (10 if HOUR_S / 2 < now < HOUR_S else 1))


def _burst(now: int) -> float:
    return 60.0 if 600 <= now < 900 else 2.0


def _noise(now: int) -> float:
    # Heavy for half a minute, nothing for the next.
    return 40.0 if now // 30 % 2 else 0.0


LOADS = {
    "calm": Load(lambda _now: 5.0, _usual, 2000, HOUR_S),
    "a day in two hours": Load(
        lambda now: 20 + 18 * math.sin(2 * math.pi * now / HOUR_S), _usual, 2000, 2 * HOUR_S
    ),
    "a burst": Load(_burst, _usual, 1000, 2 * HOUR_S),
    "noise": Load(_noise, _usual, 2000, HOUR_S),
    "a backlog": Load(lambda now: 60_000.0 if now == 60 else 0.0, _usual, 1200, HOUR_S),
    "slow answers": Load(lambda _now: 12.0, _slow, 2000, 2 * HOUR_S),
}
