{{- /*
Parts of a pod that run the program. Each takes `root`, and what it needs of:
  settings  map of variables
  files     list of {setting, file, key, and secret or configMap}: files that settings name
  rules     {configMap, key} of the rules file; empty where none is mounted
*/ -}}

{{- define "onesignal-pipeline.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- range $name := list "runAsUser" "runAsGroup" "fsGroup" }}
  {{- with get $.Values.podSecurity $name }}
  {{ $name }}: {{ int64 . }}
  {{- end }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "onesignal-pipeline.containerSecurity" -}}
image: {{ include "onesignal-pipeline.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- /* Settings stand in the pod itself: a change of one replaces pods, a roll-back brings the old one back with them. */ -}}
{{- define "onesignal-pipeline.environment" -}}
{{- $settings := deepCopy .settings }}
{{- $mistakes := list }}
{{- range .files }}
{{- if hasKey $settings .setting }}
{{- $mistakes = append $mistakes (printf "secretSettings sets %s, which is set already: keep one" (trimSuffix "_FILE" .setting)) }}
{{- end }}
{{- $_ := set $settings .setting (printf "%s/%s" (include "onesignal-pipeline.filesFolder" .) .file) }}
{{- end }}
{{- $_ := set $settings "PIPELINE_DATA_DIRECTORY" (include "onesignal-pipeline.dataFolder" .) }}
{{- $_ := set $settings "TMPDIR" (include "onesignal-pipeline.dataFolder" .) }}
{{- $mistakes = concat $mistakes (include "onesignal-pipeline.extraEnvMistakes" (dict "settings" $settings "extraEnv" .extraEnv) | fromYamlArray) }}
{{- include "onesignal-pipeline.refuse" $mistakes }}
env:
  {{- range $name := keys $settings | sortAlpha }}
  - name: {{ $name }}
    value: {{ include "onesignal-pipeline.text" (get $settings $name) | quote }}
  {{- end }}
  {{- with .root.Values.kafka.sasl }}
  {{- if and .usernameKey (include "onesignal-pipeline.authenticates" $.root) }}
  - name: PIPELINE_KAFKA_SASL_USERNAME
    valueFrom:
      secretKeyRef:
        name: {{ .existingSecret | quote }}
        key: {{ .usernameKey | quote }}
  {{- end }}
  {{- end }}
  {{- with .extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* A setting stands in its variable or, for a secret, in a file that <variable>_FILE names: the program refuses both. */ -}}
{{- define "onesignal-pipeline.extraEnvMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- $taken := set (deepCopy .settings) "PIPELINE_KAFKA_SASL_USERNAME" "" }}
{{- range .extraEnv }}
{{- $twin := hasSuffix "_FILE" .name | ternary (trimSuffix "_FILE" .name) (printf "%s_FILE" .name) }}
{{- if hasKey $taken .name }}
{{- include $mistake (printf "extraEnv sets %s, which the chart sets: remove it" .name) }}
{{- else if and (hasPrefix "PIPELINE_" .name) (hasKey $taken $twin) }}
{{- include $mistake (printf "extraEnv sets %s, but the chart sets %s: remove the former" .name $twin) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Folders and never `subPath`: what Kubernetes changes in them is seen by a running worker. */ -}}
{{- define "onesignal-pipeline.mounts" -}}
volumeMounts:
  - name: data
    mountPath: {{ include "onesignal-pipeline.dataFolder" . }}
  {{- if .files }}
  - name: files
    mountPath: {{ include "onesignal-pipeline.filesFolder" . }}
    readOnly: true
  {{- end }}
  {{- if .rules }}
  - name: rules
    mountPath: {{ include "onesignal-pipeline.rulesFolder" . }}
    readOnly: true
  {{- end }}
{{- end }}

{{- define "onesignal-pipeline.volumes" -}}
volumes:
  - name: data
    emptyDir:
      sizeLimit: 64Mi
  {{- if .files }}
  - name: files
    projected:
      defaultMode: 0440
      sources:
        {{- range .files }}
        - {{ hasKey . "secret" | ternary "secret" "configMap" }}:
            name: {{ .secret | default .configMap | quote }}
            items:
              - key: {{ .key | quote }}
                path: {{ .file | quote }}
        {{- end }}
  {{- end }}
  {{- with .rules }}
  - name: rules
    configMap:
      name: {{ .configMap }}
      items:
        - key: {{ .key | quote }}
          path: rules.yaml
  {{- end }}
{{- end }}
