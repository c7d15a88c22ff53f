{{- define "fleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "fleet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "fleet.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fleet.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "fleet.selector" -}}
app.kubernetes.io/name: {{ include "fleet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fleet.labels" -}}
{{ include "fleet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "fleet.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "fleet.secret" -}}
{{- if .Values.secrets.external.enabled -}}
{{- if .Values.secrets.existing -}}
{{- fail "secrets.existing and secrets.external.enabled exclude each other: name a Secret that is there, or have one made." -}}
{{- end -}}
{{- if not .Values.secrets.external.store -}}
{{- fail "secrets.external.store is empty: name the SecretStore or ClusterSecretStore to read from." -}}
{{- end -}}
{{ include "fleet.fullname" . }}
{{- else -}}
{{- required "secrets.existing is empty: name a Secret with the keys AMQP_URL, REDIS_URL and DEEPSEEK_API_KEY." .Values.secrets.existing -}}
{{- end -}}
{{- end -}}

{{/* Calls that one worker should have before another is started. */}}
{{- define "fleet.target" -}}
{{- mulf .Values.workers.concurrency .Values.autoscaling.utilization | floor | max 1 | int -}}
{{- end -}}

{{- define "fleet.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Where pods may run, and who fetches their image. */}}
{{- define "fleet.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.workers.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.workers.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.workers.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "fleet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
