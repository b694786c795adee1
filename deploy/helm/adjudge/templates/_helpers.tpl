{{- define "adjudge.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "adjudge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "adjudge.labels" -}}
{{ include "adjudge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "adjudge.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "adjudge.hardened" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "adjudge.config" -}}
{{- $service := dict "keys" "/etc/adjudge/keys/keys.yaml" "notice" .Values.notice -}}
{{- if .Values.tls.secret -}}
{{- $_ := set $service "tls" (dict "certificate" "/etc/adjudge/tls/tls.crt" "key" "/etc/adjudge/tls/tls.key") -}}
{{- else -}}
{{- $_ := set $service "plain_http" true -}}
{{- end -}}
{{- $name := include "adjudge.name" . -}}
{{- $own := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) -}}
{{- $hosts := concat $own .Values.tls.hosts -}}
{{- if .Values.serviceMonitor.enabled -}}
{{- $hosts = append $hosts "*" -}}{{/* Prometheus asks each pod by its address; its key is what lets it in */}}
{{- end -}}
{{- $_ := set $service "hosts" $hosts -}}
{{- $config := dict "policies" (list "/etc/adjudge/policies/") "service" $service -}}
{{- if .Values.postgres.enabled -}}
{{- $ledger := dict "dsn" (dict "file" "/etc/adjudge/postgres/dsn") "fingerprint_key" (dict "file" "/etc/adjudge/postgres/fingerprint.key") -}}
{{- if .Values.postgres.signed -}}
{{- $_ := set $ledger "key" (dict "file" "/etc/adjudge/postgres/audit.key") -}}
{{- end -}}
{{- $_ := set $config "ledger" (dict "postgres" $ledger) -}}
{{- else -}}
{{- $_ := set $config "audit" (dict "directory" "/var/lib/adjudge/audit") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config .Values.config) -}}
{{- end -}}
