"""The schemas of Kubernetes' own kinds, to check manifests with no cluster at hand."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

from harness.wheels import wheel

WHEEL = "kubernetes-validate==1.37.0"
SCHEMAS = Path("kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict")


class Kinds:
    """Knows the kinds of Kubernetes 1.37; strict: a field that a kind does not have is an error."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def knows(self, manifest: Mapping[str, Any]) -> bool:
        """Whether this is one of Kubernetes' own kinds."""
        return self._file(manifest).exists()

    def mistakes(self, manifest: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with a manifest, a sentence each."""
        schema = json.loads(self._file(manifest).read_text())
        validator = jsonschema_rs.validator_for(schema, retriever=self._referred)
        for error in validator.iter_errors(manifest):
            yield f"{manifest['kind']} {'.'.join(map(str, error.instance_path))}: {error.message}"

    def _file(self, manifest: Mapping[str, Any]) -> Path:
        group, _, version = manifest["apiVersion"].rpartition("/")
        parts = [manifest["kind"], *([group.partition(".")[0]] if group else []), version]
        return self._folder / ("-".join(parts).lower() + ".json")

    def _referred(self, uri: str) -> Any:
        return json.loads((self._folder / uri.rpartition("/")[2]).read_text())


async def kubernetes_kinds(environ: Mapping[str, str]) -> Kinds:
    """The kinds, from a wheel in the user's cache folder; skips where that can't be fetched."""
    return Kinds(await wheel(WHEEL, environ) / SCHEMAS)
