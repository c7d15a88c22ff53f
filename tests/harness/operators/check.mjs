// Checks manifests of operators' kinds, a JSON list on standard input; prints what is wrong, a line each.
import { text } from "node:stream/consumers";

const PACKAGES = {
  "cilium.io/v2": "@kubernetes-models/cilium/cilium.io/v2",
  "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
  // The package's newest; v1 has the same fields.
  "external-secrets.io/v1": "@kubernetes-models/external-secrets/external-secrets.io/v1beta1",
};

for (const manifest of JSON.parse(await text(process.stdin))) {
  const { apiVersion, kind, ...rest } = manifest;
  const found = PACKAGES[apiVersion];
  const Kind = found && (await import(found))[kind];
  if (!Kind) {
    console.log(`${apiVersion} ${kind}: no such kind is known`);
    continue;
  }
  try {
    new Kind(rest).validate();
  } catch (error) {
    console.log(`${kind} ${manifest.metadata.name}: ${error.message}`);
  }
}
