{{- /* Names and labels. */ -}}

{{- define "onesignal-pipeline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- /* What is made is called <fullname>-<component>: 45 characters leave room for most components, longer ones cut it. */ -}}
{{- define "onesignal-pipeline.fullname" -}}
{{- $name := include "onesignal-pipeline.name" . }}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $both .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- /* Selectors carry the instance, so that two releases in one namespace never take each other's pods. */ -}}
{{- define "onesignal-pipeline.selectorLabels" -}}
app.kubernetes.io/name: {{ include "onesignal-pipeline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "onesignal-pipeline.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end }}
{{- include "onesignal-pipeline.ownLabels" . }}
{{- end }}

{{- /* Labels of one object, which come before those of all. */ -}}
{{- define "onesignal-pipeline.labelsWith" -}}
{{- merge (deepCopy .labels) (include "onesignal-pipeline.labels" .root | fromYaml) | toYaml }}
{{- end }}

{{- define "onesignal-pipeline.ownLabels" -}}
{{- include "onesignal-pipeline.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_." }}
{{- end }}

{{- define "onesignal-pipeline.serviceAccount" -}}
{{- $made := .Values.serviceAccount.create | ternary (include "onesignal-pipeline.fullname" .) "default" }}
{{- default $made .Values.serviceAccount.name }}
{{- end }}

{{- define "onesignal-pipeline.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}
