{{- define "campaign-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | replace "." "-" | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* A name of at most LIMIT characters; what is cut off is stood for by a hash, so that two long names stay apart. */}}
{{- define "campaign-bridge.short" -}}
{{- if gt (len .name) (int .limit) -}}
{{- printf "%s-%s" (.name | trunc (int (sub .limit 9)) | trimSuffix "-") (.name | sha256sum | trunc 8) -}}
{{- else -}}
{{- .name -}}
{{- end -}}
{{- end -}}

{{/* At most 52 characters: a longer StatefulSet gets no pods, for its revision label would be too long. */}}
{{- define "campaign-bridge.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- end -}}
{{- include "campaign-bridge.short" (dict "name" ($name | replace "." "-" | trimSuffix "-") "limit" 52) -}}
{{- end -}}

{{- define "campaign-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "campaign-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "campaign-bridge.labels" -}}
{{ include "campaign-bridge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{- define "campaign-bridge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "campaign-bridge.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "campaign-bridge.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "campaign-bridge.key" -}}
{{- if regexMatch "^[A-Za-z][A-Za-z0-9._-]*$" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/*
YAML of any value. Helm holds every number as a float and its own toYaml writes 1000000 as 1e+06; whole numbers are
written as digits here. Texts are always quoted, so that 0042, no and 1e5 stay what they are.
*/}}
{{- define "campaign-bridge.yaml" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . }}
{{- if kindIs "invalid" $value }}
{{- else if and (or (kindIs "map" $value) (kindIs "slice" $value)) $value }}
{{ include "campaign-bridge.key" $key }}:
{{- include "campaign-bridge.yaml" $value | nindent 2 }}
{{- else if kindIs "map" $value }}
{{ include "campaign-bridge.key" $key }}: {}
{{- else }}
{{ include "campaign-bridge.key" $key }}: {{ include "campaign-bridge.yaml" $value }}
{{- end }}
{{- end }}
{{- else if kindIs "slice" . -}}
{{- if not . -}}[]{{- end -}}
{{- range . }}
{{- if and (or (kindIs "map" .) (kindIs "slice" .)) . }}
-
{{- include "campaign-bridge.yaml" . | nindent 2 }}
{{- else }}
- {{ include "campaign-bridge.yaml" . }}
{{- end }}
{{- end }}
{{- else if kindIs "float64" . -}}
{{- if eq . (floor .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- else -}}
{{- . | toJson -}}
{{- end -}}
{{- end -}}

{{/* The configuration file: the chart's own additions under what the values say. */}}
{{- define "campaign-bridge.config" -}}
{{- $own := dict "replica" (dict "namespace" .Release.Namespace) -}}
{{- $config := mustMergeOverwrite $own (deepCopy .Values.config) -}}
{{- regexReplaceAll "\n\\s*\n" (include "campaign-bridge.yaml" $config) "\n" | trim }}
{{- end -}}

{{- define "campaign-bridge.port" -}}
{{- $listen := dig "server" "listen" "127.0.0.1:8080" .Values.config -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\])" $listen -}}
{{- fail (printf "config.server.listen is %s: probes and metrics come from outside the pod, use [::]:8080" $listen) -}}
{{- end -}}
{{- regexFind "[0-9]+$" $listen -}}
{{- end -}}

{{- define "campaign-bridge.scheme" -}}
{{- ternary "HTTPS" "HTTP" (not (empty (dig "server" "certificateFile" "" .Values.config))) -}}
{{- end -}}

{{/* Whole seconds of a duration such as 45s, rounded up. */}}
{{- define "campaign-bridge.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "(ms|s|m|h|d)$" . -}}
{{- if eq $unit "ms" -}}{{ div (add $number 999) 1000 }}
{{- else if eq $unit "s" -}}{{ $number }}
{{- else if eq $unit "m" -}}{{ mul $number 60 }}
{{- else if eq $unit "h" -}}{{ mul $number 3600 }}
{{- else -}}{{ mul $number 86400 }}
{{- end -}}
{{- end -}}

{{- define "campaign-bridge.gracePeriod" -}}
{{- $drain := include "campaign-bridge.seconds" (dig "shutdown" "drainDeadline" "45s" .Values.config) -}}
{{- add (int64 $drain) (int64 .Values.terminationMarginSeconds) -}}
{{- end -}}

{{/* What the bridge's pods and the Job that makes topics have in common. */}}
{{- define "campaign-bridge.podSpec" -}}
serviceAccountName: {{ include "campaign-bridge.serviceAccount" . }}
automountServiceAccountToken: false
# Variables such as CAMPAIGN_BRIDGE_PORT=tcp://... would look like settings.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "campaign-bridge.container" -}}
image: {{ include "campaign-bridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
{{- with .Values.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/campaign-bridge
    readOnly: true
  {{- range $index, $secret := .Values.secrets }}
  - name: secret-{{ $index }}
    mountPath: {{ $secret.mountPath }}
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "campaign-bridge.secretVolumes" -}}
{{- range $index, $secret := .Values.secrets }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $secret.name }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
