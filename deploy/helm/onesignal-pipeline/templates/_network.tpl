{{- /* Who may reach pods, and what they may reach. */ -}}

{{- define "onesignal-pipeline.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- .selector | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with .root.Values.networkPolicy.metricsFrom }}
  ingress:
    - from:
        {{- toYaml . | nindent 8 }}
      ports:
        - port: http
  {{- end }}
  egress:
    {{- include "onesignal-pipeline.kafkaEgress" .root | trim | nindent 4 }}
    {{- with include "onesignal-pipeline.schemaRegistryEgress" .root }}
    {{- trim . | nindent 4 }}
    {{- end }}
    {{- with concat .egress .root.Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- /* DNS and the brokers. */ -}}
{{- define "onesignal-pipeline.kafkaEgress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- with .Values.networkPolicy.kafka }}
- ports:
    {{- $ports := .ports }}
    {{- if not $ports }}
    {{- range $.Values.kafka.bootstrapServers }}
    {{- $ports = append $ports (regexFind "[0-9]+$" .) }}
    {{- end }}
    {{- end }}
    {{- range uniq $ports }}
    - port: {{ int . }}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.schemaRegistryEgress" -}}
{{- with .Values.schemaRegistry.url }}
{{- include "onesignal-pipeline.addressEgress" (dict "address" . "to" $.Values.networkPolicy.schemaRegistry.to) }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.destinationEgress" -}}
{{- $address := (get .root.Values .row.block).endpoint | default (printf "https://%s" .row.block) }}
{{- include "onesignal-pipeline.addressEgress" (dict "address" $address "to" (get .root.Values.networkPolicy .row.block).to) }}
{{- end }}

{{- define "onesignal-pipeline.addressEgress" -}}
{{- $server := regexFind "^[^/]*//[^/]*" .address }}
- ports:
    - port: {{ regexFind "[0-9]+$" (regexFind ":[0-9]+$" $server) | default (ternary 443 80 (hasPrefix "https:" (lower $server))) }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
