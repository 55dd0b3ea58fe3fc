{{- /* How many workers a component has: by CPU, or by Kafka lag. Both take what `onesignal-pipeline.component` makes. */ -}}

{{- define "onesignal-pipeline.scalingBehavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ int .values.autoscaling.scaleDownStabilizationSeconds }}
{{- end }}

{{- define "onesignal-pipeline.horizontalPodAutoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .fullname }}
  {{- with .values.autoscaling }}
  minReplicas: {{ int .minReplicas }}
  maxReplicas: {{ int .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ int .hpa.cpuUtilizationPercent }}
  {{- end }}
  behavior:
    {{- include "onesignal-pipeline.scalingBehavior" . | nindent 4 }}
{{- end }}

{{- define "onesignal-pipeline.scaledObject" -}}
{{- $kafka := .root.Values.kafka }}
{{- $authenticates := include "onesignal-pipeline.authenticates" .root }}
{{- $encrypts := include "onesignal-pipeline.encrypts" .root }}
{{- $proofs := dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" }}
{{- $secrets := include "onesignal-pipeline.kedaSecrets" . }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  scaleTargetRef:
    name: {{ .fullname }}
  {{- with .values.autoscaling }}
  minReplicaCount: {{ int .minReplicas }}
  maxReplicaCount: {{ int .maxReplicas }}
  pollingInterval: {{ int .keda.pollingIntervalSeconds }}
  {{- end }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- include "onesignal-pipeline.scalingBehavior" . | nindent 8 }}
  triggers:
    - type: kafka
      metadata:
        bootstrapServers: {{ join "," $kafka.bootstrapServers | quote }}
        consumerGroup: {{ .values.consumerGroup | quote }}
        topic: {{ .reads | quote }}
        lagThreshold: {{ int64 .values.autoscaling.keda.lagThreshold | quote }}
        offsetResetPolicy: earliest
        {{- if $authenticates }}
        sasl: {{ get $proofs $kafka.sasl.mechanism }}
        {{- end }}
        {{- if $encrypts }}
        tls: enable
        {{- if not $kafka.tls.checkHostname }}
        unsafeSsl: "true"
        {{- end }}
        {{- end }}
      {{- if $secrets }}
      authenticationRef:
        name: {{ .fullname }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  {{- $secrets | trim | nindent 2 }}
      {{- end }}
{{- end }}

{{- /* What KEDA needs to ask Kafka, by reference to the same Secrets; a user name that is no secret, by the pod's variable. */ -}}
{{- define "onesignal-pipeline.kedaSecrets" -}}
{{- $kafka := .root.Values.kafka }}
{{- $secrets := list }}
{{- if include "onesignal-pipeline.authenticates" .root }}
{{- with $kafka.sasl }}
{{- $secrets = append $secrets (dict "parameter" "password" "name" .existingSecret "key" .passwordKey) }}
{{- if .usernameKey }}
{{- $secrets = append $secrets (dict "parameter" "username" "name" .existingSecret "key" .usernameKey) }}
{{- else }}
env:
  - parameter: username
    name: PIPELINE_KAFKA_SASL_USERNAME
    containerName: {{ $.name }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "onesignal-pipeline.encrypts" .root }}
{{- with $kafka.tls.ca }}
{{- if .existingSecret }}
{{- $secrets = append $secrets (dict "parameter" "ca" "name" .existingSecret "key" .key) }}
{{- else if .existingConfigMap }}
configMapTargetRef:
  - parameter: ca
    name: {{ .existingConfigMap | quote }}
    key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- with $kafka.tls.client }}
{{- if .existingSecret }}
{{- $secrets = append $secrets (dict "parameter" "cert" "name" .existingSecret "key" .certificateKey) }}
{{- $secrets = append $secrets (dict "parameter" "key" "name" .existingSecret "key" .privateKeyKey) }}
{{- if .passwordKey }}
{{- $secrets = append $secrets (dict "parameter" "keyPassword" "name" .existingSecret "key" .passwordKey) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with $secrets }}
secretTargetRef:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
