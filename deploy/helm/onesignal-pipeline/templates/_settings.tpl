{{- /* The program's settings (YAML maps of variables), and the files that settings name (YAML lists). */ -}}

{{- define "onesignal-pipeline.filesFolder" -}}/etc/onesignal-pipeline/files{{- end }}
{{- define "onesignal-pipeline.rulesFolder" -}}/etc/onesignal-pipeline/rules{{- end }}
{{- define "onesignal-pipeline.dataFolder" -}}/var/lib/onesignal-pipeline{{- end }}

{{- define "onesignal-pipeline.authenticates" -}}
{{- if hasPrefix "SASL_" .Values.kafka.securityProtocol }}yes{{ end }}
{{- end }}

{{- define "onesignal-pipeline.encrypts" -}}
{{- if hasSuffix "SSL" .Values.kafka.securityProtocol }}yes{{ end }}
{{- end }}

{{- define "onesignal-pipeline.kafkaSettings" -}}
PIPELINE_KAFKA_BOOTSTRAP_SERVERS: {{ join "," .Values.kafka.bootstrapServers | quote }}
PIPELINE_KAFKA_SECURITY_PROTOCOL: {{ .Values.kafka.securityProtocol }}
{{- if include "onesignal-pipeline.authenticates" . }}
PIPELINE_KAFKA_SASL_MECHANISM: {{ .Values.kafka.sasl.mechanism }}
{{- if not .Values.kafka.sasl.usernameKey }}
PIPELINE_KAFKA_SASL_USERNAME: {{ .Values.kafka.sasl.username | quote }}
{{- end }}
{{- end }}
{{- if include "onesignal-pipeline.encrypts" . }}
PIPELINE_KAFKA_SSL_CHECK_HOSTNAME: {{ .Values.kafka.tls.checkHostname | quote }}
{{- end }}
PIPELINE_RAW_TOPIC: {{ .Values.topics.raw | quote }}
PIPELINE_DEAD_LETTER_TOPIC: {{ .Values.topics.deadLetters | quote }}
{{- end }}

{{- define "onesignal-pipeline.kafkaFiles" -}}
{{- with .Values.kafka.sasl }}
{{- if include "onesignal-pipeline.authenticates" $ }}
- {setting: PIPELINE_KAFKA_SASL_PASSWORD_FILE, file: kafka-password, secret: {{ .existingSecret | quote }}, key: {{ .passwordKey | quote }}}
{{- end }}
{{- end }}
{{- if include "onesignal-pipeline.encrypts" . }}
{{- include "onesignal-pipeline.authorities" (dict "ca" .Values.kafka.tls.ca "setting" "PIPELINE_KAFKA_SSL_CA_FILE" "file" "kafka-ca.crt") }}
{{- with .Values.kafka.tls.client }}
{{- if .existingSecret }}
- {setting: PIPELINE_KAFKA_SSL_CERTIFICATE_FILE, file: kafka-client.crt, secret: {{ .existingSecret | quote }}, key: {{ .certificateKey | quote }}}
- {setting: PIPELINE_KAFKA_SSL_KEY_FILE, file: kafka-client.key, secret: {{ .existingSecret | quote }}, key: {{ .privateKeyKey | quote }}}
{{- if .passwordKey }}
- {setting: PIPELINE_KAFKA_SSL_KEY_PASSWORD_FILE, file: kafka-client-key-password, secret: {{ .existingSecret | quote }}, key: {{ .passwordKey | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.authorities" -}}
{{- if .ca.existingSecret }}
- {setting: {{ .setting }}, file: {{ .file }}, secret: {{ .ca.existingSecret | quote }}, key: {{ .ca.key | quote }}}
{{- else if .ca.existingConfigMap }}
- {setting: {{ .setting }}, file: {{ .file }}, configMap: {{ .ca.existingConfigMap | quote }}, key: {{ .ca.key | quote }}}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.formatSettings" -}}
PIPELINE_RAW_FORMAT: {{ .Values.formats.raw }}
PIPELINE_RECORDS_FORMAT: {{ .Values.formats.records }}
{{- with .Values.schemaRegistry }}
{{- if .url }}
PIPELINE_SCHEMA_REGISTRY_URL: {{ .url | quote }}
PIPELINE_SCHEMA_REGISTRY_SUBJECT_NAMES: {{ .subjectNames }}
{{- if .username }}
PIPELINE_SCHEMA_REGISTRY_USERNAME: {{ .username | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.formatFiles" -}}
{{- with .Values.formats.rawSchema }}
{{- if .existingConfigMap }}
- {setting: PIPELINE_RAW_SCHEMA_FILE, file: raw-event.avsc, configMap: {{ .existingConfigMap | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- with .Values.schemaRegistry }}
{{- if .existingSecret }}
- {setting: PIPELINE_SCHEMA_REGISTRY_PASSWORD_FILE, file: schema-registry-password, secret: {{ .existingSecret | quote }}, key: {{ .passwordKey | quote }}}
{{- end }}
{{- include "onesignal-pipeline.authorities" (dict "ca" .ca "setting" "PIPELINE_SCHEMA_REGISTRY_CA_FILE" "file" "schema-registry-ca.crt") }}
{{- end }}
{{- end }}

{{- /* Takes `root` and `row`, a destination. */ -}}
{{- define "onesignal-pipeline.processorSettings" -}}
{{- $rules := include "onesignal-pipeline.at" (dict "root" .root "path" .row.rules) | fromYaml }}
{{- if $rules.preset }}
{{ .row.own }}RULES_PRESET: {{ $rules.preset }}
{{- else if include "onesignal-pipeline.rulesSource" . }}
{{ .row.own }}RULES_FILE: {{ include "onesignal-pipeline.rulesFolder" . }}/rules.yaml
{{- end }}
{{- with .row.profile }}
PIPELINE_NAME_PROFILE: {{ include "onesignal-pipeline.at" (dict "root" $.root "path" .) }}
{{- end }}
{{ .row.own }}RECORDS_TOPIC: {{ get .root.Values.topics .row.records | quote }}
{{- /* What the alert about retention reckons with, where the cluster does not tell workers. */}}
PIPELINE_RAW_TOPIC_RETENTION_HOURS: {{ int .root.Values.topics.retentionHours.raw | quote }}
{{- include "onesignal-pipeline.trackedUsersSettings" .root }}
{{- end }}

{{- /* Users are remembered for the longest month, while its raw events are kept, and a day. */ -}}
{{- define "onesignal-pipeline.trackedUsersSettings" -}}
{{- if .Values.trackedUsers.existingSecret }}
{{- $raw := int .Values.topics.retentionHours.raw }}
PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS: {{ ternary -1 (add 744 $raw 24) (lt $raw 0) | quote }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.trackedUsersFiles" -}}
{{- with .Values.trackedUsers }}
{{- if .existingSecret }}
- {setting: PIPELINE_TRACKED_USERS_SECRET_FILE, file: tracked-users-secret, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.processorFiles" -}}
{{- include "onesignal-pipeline.trackedUsersFiles" .root }}
{{- if include "onesignal-pipeline.at" (dict "root" .root "path" .row.names) | fromYaml }}
- {setting: {{ .row.own }}NAMES_FILE, file: names.yaml, configMap: {{ include "onesignal-pipeline.fullname" .root }}-{{ .row.folder }}names, key: names.yaml}
{{- end }}
{{- end }}

{{- /* Where the rules file of a destination is, as {configMap, key}; empty where there is none. */ -}}
{{- define "onesignal-pipeline.rulesSource" -}}
{{- with include "onesignal-pipeline.at" (dict "root" .root "path" .row.rules) | fromYaml }}
{{- if .existingConfigMap.name }}
configMap: {{ .existingConfigMap.name | quote }}
key: {{ .existingConfigMap.key | quote }}
{{- else if or .document .text }}
configMap: {{ include "onesignal-pipeline.fullname" $.root }}-{{ $.row.folder }}rules
key: rules.yaml
{{- end }}
{{- end }}
{{- end }}

{{- /* A destination limits all who send to it, the program a worker. Takes `root` and `row`. */ -}}
{{- define "onesignal-pipeline.sinkSettings" -}}
{{- $values := include "onesignal-pipeline.componentValues" (dict "root" .root "key" .row.sink.key) | fromYaml }}
{{- $workers := include "onesignal-pipeline.mostReplicas" $values }}
{{- with get .root.Values .row.block }}
{{- if .endpoint }}
{{ $.row.api }}ENDPOINT: {{ .endpoint | quote }}
{{- else }}
{{ $.row.api }}REGION: {{ .region }}
{{- end }}
{{ $.row.own }}RECORDS_TOPIC: {{ get $.root.Values.topics $.row.records | quote }}
{{ $.row.own }}RECORDS_TOPIC_RETENTION_HOURS: {{ int (get $.root.Values.topics.retentionHours $.row.records) | quote }}
{{ $.row.api }}MAX_REQUESTS_PER_SECOND: {{ include "onesignal-pipeline.share" (dict "whole" .maxRequestsPerSecond "workers" $workers) | quote }}
{{ $.row.api }}MAX_RECORDS_PER_SECOND: {{ include "onesignal-pipeline.share" (dict "whole" .maxRecordsPerSecond "workers" $workers) | quote }}
{{- with .serviceAccount }}
{{- if .existingSecret }}
{{ $.row.api }}SERVICE_ACCOUNT: {{ .username | quote }}
{{ $.row.api }}PROJECT_ID: {{ .projectId | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.segmentFiles" -}}
{{- with .Values.segment.writeKey }}
- {setting: PIPELINE_SEGMENT_WRITE_KEY_FILE, file: segment-write-key, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.mixpanelFiles" -}}
{{- with .Values.mixpanel.projectToken }}
{{- if .existingSecret }}
- {setting: PIPELINE_MIXPANEL_PROJECT_TOKEN_FILE, file: mixpanel-project-token, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- with .Values.mixpanel.serviceAccount }}
{{- if .existingSecret }}
- {setting: PIPELINE_MIXPANEL_SERVICE_ACCOUNT_SECRET_FILE, file: mixpanel-service-account-secret, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- /* What `topics create` makes. Workers are told the retention of what they read; a change of the rest replaces none. */ -}}
{{- define "onesignal-pipeline.topicSettings" -}}
{{- with .Values.topics }}
PIPELINE_TOPIC_PARTITIONS: {{ int .partitions | quote }}
{{- if .deadLetterPartitions }}
PIPELINE_DEAD_LETTER_TOPIC_PARTITIONS: {{ int .deadLetterPartitions | quote }}
{{- end }}
PIPELINE_TOPIC_REPLICATION_FACTOR: {{ int .replicationFactor | quote }}
PIPELINE_RAW_TOPIC_RETENTION_HOURS: {{ int .retentionHours.raw | quote }}
{{- range include "onesignal-pipeline.destinationsInUse" $ | fromYaml }}
{{ .own }}RECORDS_TOPIC: {{ get $.Values.topics .records | quote }}
{{ .own }}RECORDS_TOPIC_RETENTION_HOURS: {{ int (get $.Values.topics.retentionHours .records) | quote }}
{{- end }}
PIPELINE_DEAD_LETTER_TOPIC_RETENTION_HOURS: {{ int .retentionHours.deadLetters | quote }}
PIPELINE_TOPIC_COMPRESSION: {{ .compression }}
{{- end }}
{{- include "onesignal-pipeline.trackedUsersSettings" . }}
{{- end }}

{{- /* Files of the secrets that a component's values list. */ -}}
{{- define "onesignal-pipeline.secretFiles" -}}
{{- range .secretSettings }}
- {setting: {{ .setting }}_FILE, file: {{ trimPrefix "PIPELINE_" .setting | lower | replace "_" "-" }}, secret: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
