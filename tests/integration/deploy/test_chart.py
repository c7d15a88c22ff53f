"""The Helm chart renders to what is checked in, and says in a sentence what it is told wrongly."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.charts import CHART, EXAMPLES, Helm, helm_of, manifests_in, rendered
from harness.kinds import kubernetes_kinds
from harness.operators import mistakes_in

# It opens none itself, but may have to fetch its tools.
pytestmark = [pytest.mark.sockets, pytest.mark.timeout(360)]

OPERATORS = ("keda.sh", "monitoring.coreos.com", "external-secrets.io", "cilium.io")
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


@pytest.fixture
async def helm(tmp_path: Path, private_environ: Mapping[str, str]) -> Helm:
    return await helm_of(tmp_path, private_environ)


@every_example
async def test_an_example_renders_to_what_is_checked_in(helm: Helm, example: Path):
    ended = await helm.template("--values", example)
    assert ended.status == 0, ended.complaint
    assert ended.out == rendered(example).read_text(), "print it anew: make chart"


@every_example
async def test_the_linter_has_nothing_to_say_of_an_example(helm: Helm, example: Path):
    ended = await helm.run("lint", "--strict", "--quiet", CHART, "--values", example)
    assert (ended.status, ended.out) == (0, ""), ended.out


@every_example
async def test_each_manifest_is_as_kubernetes_wants_it(private_environ: Mapping[str, str], example: Path):
    kinds = await kubernetes_kinds(private_environ)
    for manifest in manifests_in(rendered(example).read_text()):
        if manifest["apiVersion"].partition("/")[0] not in OPERATORS:
            assert kinds.knows(manifest), manifest["kind"]
            assert list(kinds.mistakes(manifest)) == []


async def test_each_manifest_is_as_its_operator_wants_it(private_environ: Mapping[str, str]):
    manifests = [
        manifest
        for example in EXAMPLES
        for manifest in manifests_in(rendered(example).read_text())
        if manifest["apiVersion"].partition("/")[0] in OPERATORS
    ]
    assert {manifest["kind"] for manifest in manifests} == {
        "ScaledObject",
        "TriggerAuthentication",
        "ExternalSecret",
        "PodMonitor",
        "PrometheusRule",
        "CiliumNetworkPolicy",
    }
    assert await mistakes_in(manifests, private_environ) == []


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            (),
            "secrets.existing is empty: name a Secret with the keys AMQP_URL, REDIS_URL and",
        ),
        (("workers.concurrency=many",), "at '/workers/concurrency': got string, want integer"),
        (("workers.concurency=5",), "at '/workers': additional properties 'concurency' not allowed"),
        (
            ("settings.FLEET_LIMIT_RPN=5",),
            "additional properties 'FLEET_LIMIT_RPN' not allowed",
        ),
        (("settings.FLEET_DRAIN_S=5",), "at '/settings': additional properties 'FLEET_DRAIN_S' not allowed"),
        (
            ("autoscaling.minReplicas=9", "autoscaling.maxReplicas=3"),
            "autoscaling.minReplicas is 9 and maxReplicas 3: the first may not be the larger",
        ),
        (
            ("autoscaling.enabled=false", "workers.replicas=0"),
            "workers.replicas is 0 and autoscaling is off: nobody would take requests",
        ),
        (
            ("secrets.existing=mine", "secrets.external.enabled=true"),
            "secrets.existing and secrets.external.enabled exclude each other",
        ),
        (("secrets.external.enabled=true",), "secrets.external.store is empty: name the SecretStore"),
        (("autoscaling.scaleDownWindowSeconds=15",), "minimum: got 15, want 120"),
        (
            ("settings.DEEPSEEK_BASE_URL=http://vllm.models:8000",),
            "is on port 8000, which networkPolicy.upstream.ports does not open",
        ),
        (
            (
                "networkPolicy.upstream.names={api.deepseek.com}",
                "settings.DEEPSEEK_BASE_URL=https://else.where",
            ),
            "networkPolicy.upstream.names leaves out else.where",
        ),
        (
            ("settings.OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318",),
            "networkPolicy.traces.ports is empty",
        ),
    ],
)
async def test_a_wrong_value_gets_a_sentence(helm: Helm, told: tuple[str, ...], sentence: str):
    given = told if not told or "secrets" in told[0] else (*told, "secrets.existing=mine")
    ended = await helm.template(*(part for value in given for part in ("--set", value)))
    assert ended.status != 0
    assert sentence in ended.complaint
