"""What the chart's manifests say fits the code that they run."""

import re
from pathlib import Path
from typing import Any

import pytest

from fleet_contracts.grammar import Lane
from fleet_contracts.topology import tenant_queue, topology
from fleet_worker.limiter.scaling import figures
from harness.charts import (
    EXAMPLES,
    NAMESPACE,
    SECRET,
    SET_BY_THE_CHART,
    VALUES_SCHEMA,
    manifests_in,
    rendered,
    schema_with_settings,
    settings_of_workers,
)

BY_THEIR_PORTS = {53, 5671, 5672, 6379, 6380}
PRIVATE = {
    "0.0.0.0/0": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"},
    "::/0": {"fc00::/7", "fe80::/10"},
}
WORK = {"deepseek.requests", "deepseek.requests.batch", "deepseek.requests.resumed"}

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
Manifest = dict[str, Any]


def those_of(example: Path, kind: str) -> list[Manifest]:
    found = manifests_in(rendered(example).read_text())
    return [manifest for manifest in found if manifest["kind"] == kind]


def pods_of(example: Path) -> list[Manifest]:
    return [
        manifest["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for manifest in those_of(example, kind)
    ] + [manifest["spec"] for manifest in those_of(example, "Pod")]


def settings_of(example: Path) -> dict[str, str]:
    found = (config["data"] for config in those_of(example, "ConfigMap"))
    return next(data for data in found if "FLEET_CONCURRENCY" in data)


def test_the_values_take_each_setting_of_a_worker_and_no_other():
    assert VALUES_SCHEMA.read_text() == schema_with_settings(), "print it anew: make chart"


@every_example
def test_what_the_chart_sets_is_read_by_a_worker(example: Path):
    assert SET_BY_THE_CHART <= settings_of(example).keys() <= settings_of_workers()


@every_example
def test_no_running_call_is_killed_by_the_end_of_the_grace(example: Path):
    (deployment,) = those_of(example, "Deployment")
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= float(settings_of(example)["FLEET_DRAIN_S"]) + 30
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@every_example
def test_each_pod_is_as_restricted_as_kubernetes_can_ask_for(example: Path):
    for pod in pods_of(example):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert not [each for each in container.get("env", []) if each["name"] in SECRET]


@every_example
def test_no_pod_reaches_a_private_address_but_by_the_ports_of_broker_and_store(example: Path):
    (policy,) = those_of(example, "NetworkPolicy")
    labels = policy["spec"]["podSelector"]["matchLabels"]
    assert all(
        labels.items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        for kind in ("Deployment", "Job")
        for workload in those_of(example, kind)
    )
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert [rule["ports"] for rule in policy["spec"]["ingress"]] == [[{"port": "health"}]]
    for rule in policy["spec"]["egress"]:
        ports = {each["port"] for each in rule["ports"]}
        outside = [peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer]
        assert ports <= ({443} if outside else BY_THEIR_PORTS)
        assert all(set(block["except"]) >= PRIVATE[block["cidr"]] for block in outside)


@every_example
def test_where_the_upstream_is_allowed_by_name_no_other_address_outside_is(example: Path):
    (policy,) = those_of(example, "NetworkPolicy")
    outside = [peer for rule in policy["spec"]["egress"] for peer in rule.get("to", []) if "ipBlock" in peer]
    by_name = [
        name["matchName"]
        for found in those_of(example, "CiliumNetworkPolicy")
        for rule in found["spec"]["egress"]
        for name in rule.get("toFQDNs", [])
    ]
    assert bool(outside) != bool(by_name)
    assert set(by_name) <= {"api.deepseek.com"}


@every_example
def test_what_scales_the_workers_counts_the_work_and_nothing_else(example: Path):
    for scaled in those_of(example, "ScaledObject"):
        (backlog,) = [each for each in scaled["spec"]["triggers"] if each["type"] == "rabbitmq"]
        pattern = re.compile(backlog["metadata"]["queueName"])
        queues = {queue.name for queue in topology().queues} | {"deepseek.reply.acme.1"}
        assert {name for name in queues if pattern.search(name)} == WORK
        assert all(pattern.search(tenant_queue(lane, "acme")) for lane in Lane)
        # Over AMQP only what waits is seen, and a worker that is busy with the last requests is taken away.
        assert backlog["metadata"]["protocol"] == "http"
        assert "excludeUnacknowledged" not in backlog["metadata"]
        # The most that a page of the HTTP API holds; what is on the next one is not counted.
        assert backlog["metadata"]["pageSize"] == "500"


@every_example
def test_what_scales_the_workers_asks_them_for_a_figure_that_they_tell(example: Path):
    for scaled in those_of(example, "ScaledObject"):
        (asked,) = [each for each in scaled["spec"]["triggers"] if each["type"] == "metrics-api"]
        (service,) = those_of(example, "Service")
        port = service["spec"]["ports"][0]["port"]
        where = f"http://{service['metadata']['name']}.{NAMESPACE}.svc:{port}/scale"
        assert asked["metadata"]["url"] == where
        assert asked["metadata"]["valueLocation"] in figures([])


@every_example
def test_a_figure_that_nobody_tells_starts_no_worker_and_takes_none_away(example: Path):
    for scaled in (each["spec"] for each in those_of(example, "ScaledObject")):
        least = max(1, scaled["minReplicaCount"])
        target = int(scaled["advanced"]["scalingModifiers"]["target"])
        assert (
            scaled["advanced"]["scalingModifiers"]["formula"] == f"min(backlog, useful ?? {least * target})"
        )
        fallback = scaled["fallback"]
        assert (fallback["behavior"], fallback["replicas"]) == ("currentReplicasIfHigher", least)
        window = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        # Kubernetes looks every 15 s, and the fallback steps in after one failure more than its threshold.
        assert window["stabilizationWindowSeconds"] >= 2 * 15 * (fallback["failureThreshold"] + 1)


@every_example
def test_a_worker_is_scaled_for_the_calls_that_it_carries(example: Path):
    for scaled in those_of(example, "ScaledObject"):
        target = float(scaled["spec"]["advanced"]["scalingModifiers"]["target"])
        assert 0 < target <= float(settings_of(example)["FLEET_CONCURRENCY"])
