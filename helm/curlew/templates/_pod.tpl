{{/* What pods of controller and agents have in common. */}}

{{/* root, settings (controller, or an agent with its defaults), serviceAccount: the first half of a pod's spec. */}}
{{- define "curlew.pod.head" -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ int .settings.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .settings.podSecurityContext | nindent 2 }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* root, settings: image and rights of its container. */}}
{{- define "curlew.container.head" -}}
image: {{ include "curlew.image" (dict "root" .root "image" .settings.image) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .settings.securityContext | nindent 2 }}
resources:
  {{- toYaml .settings.resources | nindent 2 }}
{{- end }}

{{/* root: flags for certificates, the log. */}}
{{- define "curlew.commonArgs" -}}
- --tls-cert=/etc/curlew/tls/tls.crt
- --tls-key=/etc/curlew/tls/tls.key
- --tls-ca=/etc/curlew/tls/ca.crt
{{- if .Values.tls.revoked.existingConfigMap }}
- --tls-crl-dir=/etc/curlew/revoked
{{- end }}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
{{- end }}

{{/* root, settings: mounts that both have. */}}
{{- define "curlew.commonMounts" -}}
- name: tls
  mountPath: /etc/curlew/tls
  readOnly: true
{{- if .root.Values.tls.revoked.existingConfigMap }}
- name: revoked
  mountPath: /etc/curlew/revoked
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- with .settings.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* root, settings, secret: volumes that both have. Whole folders: a subPath would never see a new certificate. */}}
{{- define "curlew.commonVolumes" -}}
- name: tls
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- with .root.Values.tls.revoked.existingConfigMap }}
- name: revoked
  configMap:
    name: {{ . }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .settings.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
