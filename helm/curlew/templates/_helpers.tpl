{{/* Names, labels, images. Values that a template takes besides the root are in a dict with key "root". */}}

{{/* The ports that programs serve on. Nobody needs others: each pod has an address of its own. */}}
{{- define "curlew.port.grpc" -}}7441{{- end }}
{{- define "curlew.port.health" -}}7442{{- end }}
{{- define "curlew.port.controllerMetrics" -}}9186{{- end }}
{{- define "curlew.port.agentMetrics" -}}9187{{- end }}

{{/* Prefix of every name. 40 characters leave room for what follows in the 63 of a Service. */}}
{{- define "curlew.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $chart .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $chart | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "curlew.controller.name" -}}{{ include "curlew.fullname" . }}-controller{{- end }}
{{- define "curlew.controller.headless" -}}{{ include "curlew.controller.name" . }}-headless{{- end }}
{{/* root, agent */}}
{{- define "curlew.agent.name" -}}{{ include "curlew.fullname" .root }}-agent-{{ .agent.name }}{{- end }}

{{/* root, component; name (of an agent or person), or none: what selects pods, never to be changed. */}}
{{- define "curlew.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .name }}
curlew/agent: {{ . }}
{{- end }}
{{- end }}

{{/* root, component; name or none */}}
{{- define "curlew.labels" -}}
{{ include "curlew.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: curlew
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* root, image */}}
{{- define "curlew.image" -}}
{{- $values := .root.Values.image -}}
{{- $name := .image.repository -}}
{{- with $values.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default $values.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* What an entry of agents means: agentDefaults with the entry's keys over them, as values of Helm go over each other:
maps key by key, lists as a whole. root, agent; gives YAML. */}}
{{- define "curlew.agent" -}}
{{- mustMergeOverwrite (deepCopy .root.Values.agentDefaults) .agent | toYaml -}}
{{- end }}

{{/* The agent's file: its config, and whom it trusts. root, agent (with the defaults): agent.yaml, or nothing. */}}
{{- define "curlew.agent.config" -}}
{{- .agent.config -}}
{{- with .agent.trust -}}
{{- if .planKeys -}}
{{- if and $.agent.config (not (hasSuffix "\n" $.agent.config)) }}
{{ end -}}
trust:
  environment: {{ $.agent.environment | quote }}
  plan_keys:
    {{- toYaml .planKeys | nindent 4 }}
  {{- with .approverKeys }}
  approver_keys:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  drop_approvals: {{ int .dropApprovals }}
{{ end -}}
{{- end -}}
{{- end }}

{{/* Where a program listens on every interface: root, port. */}}
{{- define "curlew.listen" -}}
{{- if eq .root.Values.ipFamily "IPv6" }}[::]{{ else }}0.0.0.0{{ end }}:{{ .port }}
{{- end }}

{{/* Where agents find the controller: root, agent. */}}
{{- define "curlew.agent.controller" -}}
{{- .agent.controllerAddress | default (printf "dns:///%s.%s.svc:%s" (include "curlew.controller.headless" .root) .root.Release.Namespace (include "curlew.port.grpc" .root)) -}}
{{- end }}

{{/* Name of the environment variable with the connection string of a target. */}}
{{- define "curlew.targetVariable" -}}CURLEW_TARGET_{{ . | upper | replace "-" "_" }}{{- end }}

{{/* The Secrets with certificates: root, and of the agent's, agent. */}}
{{- define "curlew.controller.tlsSecret" -}}
{{- .Values.controller.tls.existingSecret | default (printf "%s-tls" (include "curlew.controller.name" .)) -}}
{{- end }}
{{- define "curlew.agent.tlsSecret" -}}
{{- dig "tls" "existingSecret" "" .agent | default (printf "%s-tls" (include "curlew.agent.name" .)) -}}
{{- end }}
{{- define "curlew.test.tlsSecret" -}}
{{- .Values.test.tls.existingSecret | default (printf "%s-user-helm-test" (include "curlew.fullname" .)) -}}
{{- end }}
{{- define "curlew.tls.issuer" -}}
{{- with .Values.tls.certManager.issuerRef -}}
name: {{ .name | default (printf "%s-ca" (include "curlew.fullname" $)) }}
kind: {{ ternary .kind "Issuer" (ne .name "") }}
group: {{ ternary .group "cert-manager.io" (ne .name "") }}
{{- end }}
{{- end }}

{{- define "curlew.controller.serviceAccount" -}}
{{- if .Values.controller.serviceAccount.create -}}
{{- .Values.controller.serviceAccount.name | default (include "curlew.controller.name" .) -}}
{{- else -}}
{{- .Values.controller.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}
{{/* root, agent */}}
{{- define "curlew.agent.serviceAccount" -}}
{{- if .agent.serviceAccount.create -}}
{{- .agent.serviceAccount.name | default (include "curlew.agent.name" .) -}}
{{- else -}}
{{- .agent.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}
