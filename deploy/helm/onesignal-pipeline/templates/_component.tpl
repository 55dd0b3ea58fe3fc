{{- /*
Everything that a component is: a Deployment and what belongs to it. A further component is a block in `components` and a
template like sinks.yaml. Takes a dict of
  root         the root context
  key          name of the block in `components`
  name         name of the component in what is made
  arguments    what the program is started with
  groupSetting variable that names its consumer group
  reads        topic that it reads
  settings     map of the variables that only it has
  files        list of files that settings name, see _pod.tpl
  rules        {configMap, key} of the rules file, where it reads one
  egress       list of NetworkPolicy rules for what it reaches beside Kafka
*/ -}}

{{- define "onesignal-pipeline.component" -}}
{{- $values := include "onesignal-pipeline.componentValues" . | fromYaml }}
{{- if $values.enabled }}
{{- $part := merge (dict
      "values" $values
      "fullname" (printf "%s-%s" (include "onesignal-pipeline.fullname" .root | trunc (sub 62 (len .name) | int) | trimSuffix "-") .name)
      "selector" (printf "%s\napp.kubernetes.io/component: %s" (include "onesignal-pipeline.selectorLabels" .root) .name)
      "labels" (printf "%s\napp.kubernetes.io/component: %s" (include "onesignal-pipeline.labels" .root) .name)) . }}
{{- include "onesignal-pipeline.deployment" $part }}
{{- if $values.podDisruptionBudget.enabled }}
---
{{ include "onesignal-pipeline.podDisruptionBudget" $part }}
{{- end }}
{{- if $values.autoscaling.hpa.enabled }}
---
{{ include "onesignal-pipeline.horizontalPodAutoscaler" $part }}
{{- else if $values.autoscaling.keda.enabled }}
---
{{ include "onesignal-pipeline.scaledObject" $part }}
{{- end }}
{{- if .root.Values.networkPolicy.enabled }}
---
{{ include "onesignal-pipeline.networkPolicy" $part }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.componentSettings" -}}
{{- $settings := deepCopy .settings }}
{{- $shared := list "onesignal-pipeline.kafkaSettings" "onesignal-pipeline.formatSettings" }}
{{- range $shared }}
{{- include "onesignal-pipeline.overlay" (dict "base" $settings "over" (include . $.root | fromYaml)) }}
{{- end }}
{{- $_ := set $settings .groupSetting .values.consumerGroup }}
{{- $_ := set $settings "PIPELINE_HTTP_PORT" .values.httpPort }}
{{- $_ := set $settings "PIPELINE_SHUTDOWN_TIMEOUT_SECONDS" .values.shutdownTimeoutSeconds }}
{{- include "onesignal-pipeline.overlay" (dict "base" $settings "over" .values.settings) }}
{{- toYaml $settings }}
{{- end }}

{{- define "onesignal-pipeline.componentFiles" -}}
{{- $files := .files }}
{{- range list "onesignal-pipeline.kafkaFiles" "onesignal-pipeline.formatFiles" }}
{{- $files = concat $files (include . $.root | fromYamlArray) }}
{{- end }}
{{- toYaml (concat $files (include "onesignal-pipeline.secretFiles" .values | fromYamlArray)) }}
{{- end }}

{{- define "onesignal-pipeline.deployment" -}}
{{- $scaled := or .values.autoscaling.hpa.enabled .values.autoscaling.keda.enabled }}
{{- $settings := include "onesignal-pipeline.componentSettings" . | fromYaml }}
{{- $files := include "onesignal-pipeline.componentFiles" . | fromYamlArray }}
{{- $parts := dict "root" .root "settings" $settings "files" $files "rules" .rules "extraEnv" .values.extraEnv }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  {{- if not $scaled }}
  replicas: {{ int .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- with .values.rollout }}
  minReadySeconds: {{ int .minReadySeconds }}
  progressDeadlineSeconds: {{ int .progressDeadlineSeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ include "onesignal-pipeline.text" .maxSurge }}
      maxUnavailable: {{ include "onesignal-pipeline.text" .maxUnavailable }}
  {{- end }}
  selector:
    matchLabels:
      {{- .selector | nindent 6 }}
  template:
    metadata:
      {{- $annotations := deepCopy .values.podAnnotations }}
      {{- if .root.Values.monitoring.scrapeAnnotations }}
      {{- $port := int .values.httpPort | toString }}
      {{- $annotations = merge $annotations (dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" $port) }}
      {{- end }}
      {{- with $annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- with .values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- .selector | nindent 8 }}
    spec:
      serviceAccountName: {{ include "onesignal-pipeline.serviceAccount" .root }}
      {{- include "onesignal-pipeline.podSecurity" .root | trim | nindent 6 }}
      terminationGracePeriodSeconds: {{ int .values.terminationGracePeriodSeconds }}
      {{- range list (include "onesignal-pipeline.placement" .values) (include "onesignal-pipeline.spread" .) }}
      {{- with trim . }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- end }}
      containers:
        - name: {{ .name }}
          {{- include "onesignal-pipeline.containerSecurity" .root | trim | nindent 10 }}
          command: [onesignal-pipeline]
          args: {{ toJson .arguments }}
          {{- include "onesignal-pipeline.environment" $parts | trim | nindent 10 }}
          ports:
            - name: http
              containerPort: {{ int .values.httpPort }}
              protocol: TCP
          {{- range $probe, $path := dict "livenessProbe" "/healthz" "readinessProbe" "/readyz" "startupProbe" "/healthz" }}
          {{ $probe }}:
            httpGet:
              path: {{ $path }}
              port: http
            {{- range $name, $number := get $.values $probe }}
            {{ $name }}: {{ int $number }}
            {{- end }}
          {{- end }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          {{- include "onesignal-pipeline.mounts" $parts | trim | nindent 10 }}
      {{- include "onesignal-pipeline.volumes" $parts | trim | nindent 6 }}
{{- end }}

{{- /* Where pods may run, out of a component's values. */ -}}
{{- define "onesignal-pipeline.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- range $name := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $ $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.spread" -}}
{{- with .values.topologySpread }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ .topologyKey | quote }}
    maxSkew: {{ int .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- $.selector | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  maxUnavailable: {{ include "onesignal-pipeline.text" .values.podDisruptionBudget.maxUnavailable }}
  {{- /* A hold makes every pod not ready, for days if need be, and must not block a drain. */}}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- .selector | nindent 6 }}
{{- end }}
