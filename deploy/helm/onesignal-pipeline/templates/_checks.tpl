{{- /* What the schema cannot see: each is a YAML list of mistakes, in words that say what to do. */ -}}

{{- define "onesignal-pipeline.mistakes" -}}
{{- include "onesignal-pipeline.connectionMistakes" . }}
{{- include "onesignal-pipeline.fileMistakes" . }}
{{- include "onesignal-pipeline.keyMistakes" . }}
{{- include "onesignal-pipeline.programMistakes" . }}
{{- with .Values.topics.job }}
{{- if .enabled }}
{{- include "onesignal-pipeline.resourceMistakes" (dict "path" "topics.job.resources" "resources" .resources) }}
{{- end }}
{{- end }}
{{- range $key, $_ := .Values.components }}
{{- $values := include "onesignal-pipeline.componentValues" (dict "root" $ "key" $key) | fromYaml }}
{{- if $values.enabled }}
{{- $component := dict "root" $ "values" $values "key" $key "path" (printf "components.%s" $key) }}
{{- include "onesignal-pipeline.componentMistakes" $component }}
{{- include "onesignal-pipeline.settingMistakes" $component }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.refuse" -}}
{{- if . }}
{{- fail (printf "these values cannot work:\n  - %s" (join "\n  - " .)) }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.mistake" }}
- {{ . | quote }}
{{- end }}

{{- define "onesignal-pipeline.connectionMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- with .Values.kafka }}
{{- if not .bootstrapServers }}
{{- include $mistake "kafka.bootstrapServers is empty: give Kafka's brokers, such as {kafka-1:9092,kafka-2:9092}" }}
{{- end }}
{{- if include "onesignal-pipeline.authenticates" $ }}
{{- if not .sasl.existingSecret }}
{{- include $mistake (printf "kafka.sasl.existingSecret is empty: kafka.securityProtocol is %s, which needs a password" .securityProtocol) }}
{{- end }}
{{- if not (or .sasl.username .sasl.usernameKey) }}
{{- include $mistake (printf "kafka.sasl.username is empty: kafka.securityProtocol is %s, which needs it, or kafka.sasl.usernameKey" .securityProtocol) }}
{{- end }}
{{- else if or .sasl.existingSecret .sasl.username }}
{{- include $mistake (printf "kafka.sasl is set, but kafka.securityProtocol is %s: use SASL_SSL, or remove the former" .securityProtocol) }}
{{- end }}
{{- if not (include "onesignal-pipeline.encrypts" $) }}
{{- if or .tls.ca.existingSecret .tls.ca.existingConfigMap .tls.client.existingSecret }}
{{- include $mistake (printf "kafka.tls names certificates, but kafka.securityProtocol is %s: use SSL or SASL_SSL, or remove the former" .securityProtocol) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $path, $ca := dict "kafka.tls.ca" .Values.kafka.tls.ca "schemaRegistry.ca" .Values.schemaRegistry.ca }}
{{- if and $ca.existingSecret $ca.existingConfigMap }}
{{- include $mistake (printf "%s.existingSecret and %s.existingConfigMap are both set: keep one" $path $path) }}
{{- end }}
{{- end }}
{{- if and (include "onesignal-pipeline.runs" (dict "root" $ "key" "segmentSink")) (not .Values.segment.writeKey.existingSecret) }}
{{- include $mistake "segment.writeKey.existingSecret is empty: name the Secret that holds the write key of your Segment source" }}
{{- end }}
{{- with .Values.mixpanel }}
{{- $account := list .serviceAccount.username .serviceAccount.existingSecret .serviceAccount.projectId | compact }}
{{- if and .projectToken.existingSecret $account }}
{{- include $mistake "mixpanel.projectToken and mixpanel.serviceAccount are both set: keep one" }}
{{- else if and $account (lt (len $account) 3) }}
{{- include $mistake "mixpanel.serviceAccount needs username, existingSecret and projectId: give all three" }}
{{- else if and (include "onesignal-pipeline.runs" (dict "root" $ "key" "mixpanelSink")) (not .projectToken.existingSecret) (not $account) }}
{{- include $mistake "mixpanel.projectToken.existingSecret is empty: name the Secret that holds the token of your Mixpanel project, or give mixpanel.serviceAccount" }}
{{- end }}
{{- end }}
{{- $topics := list .Values.topics.raw .Values.topics.deadLetters }}
{{- range include "onesignal-pipeline.destinations" . | fromYaml }}
{{- $block := get $.Values .block }}
{{- if and (ne $block.region "us") $block.endpoint }}
{{- include $mistake (printf "%s.region and %s.endpoint are both set: keep one" .block .block) }}
{{- end }}
{{- $topics = append $topics (get $.Values.topics .records) }}
{{- end }}
{{- if ne (len $topics) (len (uniq $topics)) }}
{{- include $mistake "topics.raw, topics.records, topics.mixpanelRecords and topics.deadLetters must differ: each needs its own topic" }}
{{- end }}
{{- $readers := dict }}
{{- range $key, $component := .Values.components }}
{{- if include "onesignal-pipeline.runs" (dict "root" $ "key" $key) }}
{{- $_ := set $readers $component.consumerGroup (append (get $readers $component.consumerGroup | default list) (printf "components.%s.consumerGroup" $key)) }}
{{- end }}
{{- end }}
{{- range $group, $paths := $readers }}
{{- if gt (len $paths) 1 }}
{{- include $mistake (printf "%s are the same (%s): each component needs its own group" (join ", " $paths) $group) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.fileMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- range $row := include "onesignal-pipeline.destinations" . | fromYaml }}
{{- with include "onesignal-pipeline.at" (dict "root" $ "path" .rules) | fromYaml }}
{{- $given := list }}
{{- range $name, $value := dict "preset" .preset "document" .document "text" .text "existingConfigMap" .existingConfigMap.name }}
{{- if $value }}
{{- $given = append $given (printf "%s.%s" $row.rules $name) }}
{{- end }}
{{- end }}
{{- if gt (len $given) 1 }}
{{- include $mistake (printf "%s are set: keep one" (join ", " ($given | sortAlpha))) }}
{{- end }}
{{- if and (or (eq .preset "tracked-only") (contains "tracked_only" (print .text .document))) (not $.Values.trackedUsers.existingSecret) }}
{{- include $mistake (printf "trackedUsers.existingSecret is empty: the %s keep events of tracked users only, who are remembered by a secret" $row.rules) }}
{{- end }}
{{- if .text }}
{{- $read := fromYaml .text }}
{{- if not (hasKey $read "rules") }}
{{- include $mistake (printf "%s.text is no rules file%s: run `onesignal-pipeline rules check` on it" $row.rules (empty $read.Error | ternary "" (printf " (%s)" $read.Error))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne (eq .Values.names.profile "custom") (not (empty .Values.names.custom)) }}
{{- include $mistake "names.custom and names.profile `custom` go together: give both or neither" }}
{{- end }}
{{- with .Values.schemaRegistry }}
{{- if and (not .url) (or .username .existingSecret .ca.existingSecret .ca.existingConfigMap) }}
{{- include $mistake "schemaRegistry.url is empty, but other values of schemaRegistry are set: give the address too" }}
{{- end }}
{{- if ne (empty .username) (empty .existingSecret) }}
{{- include $mistake "schemaRegistry.username and schemaRegistry.existingSecret go together: give both or neither" }}
{{- end }}
{{- end }}
{{- with .Values.formats }}
{{- if and (eq .records "avro") (not $.Values.schemaRegistry.url) }}
{{- include $mistake "schemaRegistry.url is empty: formats.records is avro, which needs a registry" }}
{{- end }}
{{- if and (ne .raw "json") (not $.Values.schemaRegistry.url) (not .rawSchema.existingConfigMap) }}
{{- include $mistake (printf "schemaRegistry.url is empty: formats.raw is %s, which needs a registry, or for single objects formats.rawSchema" .raw) }}
{{- end }}
{{- if and (eq .raw "json") .rawSchema.existingConfigMap }}
{{- include $mistake "formats.rawSchema is set, but formats.raw is json: use avro or auto, or remove the former" }}
{{- end }}
{{- end }}
{{- with .Values.monitoring }}
{{- if and .scrapeAnnotations .podMonitor.enabled }}
{{- include $mistake "monitoring.scrapeAnnotations and monitoring.podMonitor.enabled are both true: every number would count twice" }}
{{- end }}
{{- range $label := list "between" "severity" }}
{{- if and $.Values.monitoring.prometheusRule.enabled (hasKey $.Values.monitoring.prometheusRule.alertLabels $label) }}
{{- include $mistake (printf "monitoring.prometheusRule.alertLabels sets %s, which each alert says itself: use another label" $label) }}
{{- end }}
{{- end }}
{{- with .podMonitor }}
{{- if and .enabled (gt (include "onesignal-pipeline.milliseconds" .scrapeTimeout | int64) (include "onesignal-pipeline.milliseconds" .interval | int64)) }}
{{- include $mistake (printf "monitoring.podMonitor.scrapeTimeout is %s and interval %s: the former may not exceed the latter, or the Prometheus operator ignores the PodMonitor" .scrapeTimeout .interval) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* No map of YAML may have a key twice. */ -}}
{{- define "onesignal-pipeline.keyMistakes" -}}
{{- $taken := dict }}
{{- range $label, $_ := include "onesignal-pipeline.ownLabels" . | fromYaml }}
{{- $_ := set $taken $label "the chart" }}
{{- end }}
{{- $component := dict "app.kubernetes.io/component" "the chart" }}
{{- include "onesignal-pipeline.takenMistakes" (dict "path" "commonLabels" "given" .Values.commonLabels "taken" (merge $component $taken)) }}
{{- range $name := list "podMonitor" "prometheusRule" "dashboards" }}
{{- with get $.Values.monitoring $name }}
{{- if .enabled }}
{{- include "onesignal-pipeline.takenMistakes" (dict "path" (printf "monitoring.%s.labels" $name) "given" .labels "taken" $taken) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.topics.job }}
{{- if .enabled }}
{{- $hook := dict "helm.sh/hook" "the chart" "helm.sh/hook-weight" "the chart" "helm.sh/hook-delete-policy" "the chart" }}
{{- include "onesignal-pipeline.takenMistakes" (dict "path" "topics.job.serviceAccountAnnotations" "given" .serviceAccountAnnotations "taken" $hook) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Keys of the map `given` that something else sets beside it: `taken` says what. */ -}}
{{- define "onesignal-pipeline.takenMistakes" -}}
{{- range $key, $_ := .given }}
{{- with get $.taken $key }}
{{- include "onesignal-pipeline.mistake" (printf "%s sets %s, which %s sets: remove it" $.path $key .) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.componentMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- $path := .path }}
{{- $partitions := int .root.Values.topics.partitions }}
{{- with .values.autoscaling }}
{{- if and .hpa.enabled .keda.enabled }}
{{- include $mistake (printf "%s.autoscaling: hpa and keda are both enabled, and would both set the number of workers: keep one" $path) }}
{{- end }}
{{- if and (or .hpa.enabled .keda.enabled) (gt (int .minReplicas) (int .maxReplicas)) }}
{{- include $mistake (printf "%s.autoscaling: minReplicas is %d and maxReplicas %d: the former may not exceed the latter" $path (int .minReplicas) (int .maxReplicas)) }}
{{- end }}
{{- $resources := $.values.resources }}
{{- if and .hpa.enabled (eq (dig "requests" "cpu" (dig "limits" "cpu" 0 $resources) $resources | include "onesignal-pipeline.millicores" | int) 0) }}
{{- include $mistake (printf "%s.resources.requests.cpu is empty or 0, but autoscaling.hpa keeps CPU to a percentage of it: give it (a LimitRange is not seen)" $path) }}
{{- end }}
{{- end }}
{{- $most := include "onesignal-pipeline.mostReplicas" .values | int }}
{{- if gt $most $partitions }}
{{- include $mistake (printf "%s: up to %d workers for %d partitions (topics.partitions), which leaves some idle: lower the former or raise the latter" $path $most $partitions) }}
{{- end }}
{{- include "onesignal-pipeline.resourceMistakes" (dict "path" (printf "%s.resources" $path) "resources" .values.resources) }}
{{- $labels := dict "app.kubernetes.io/component" "the chart" }}
{{- range $label, $_ := include "onesignal-pipeline.selectorLabels" .root | fromYaml }}
{{- $_ := set $labels $label "the chart" }}
{{- end }}
{{- include "onesignal-pipeline.takenMistakes" (dict "path" (printf "%s.podLabels" $path) "given" .values.podLabels "taken" $labels) }}
{{- $counts := dict }}
{{- range .values.extraEnv }}
{{- $_ := set $counts .name (get $counts .name | default 0 | add1) }}
{{- end }}
{{- range $name, $count := $counts }}
{{- if gt $count 1 }}
{{- include $mistake (printf "%s.extraEnv sets %s %d times: keep one" $path $name $count) }}
{{- end }}
{{- end }}
{{- with .values.rollout }}
{{- if and (has (toString .maxSurge) (list "0" "0%")) (has (toString .maxUnavailable) (list "0" "0%")) }}
{{- include $mistake (printf "%s.rollout: maxSurge and maxUnavailable are both 0, so no pod could ever be replaced: raise one" $path) }}
{{- end }}
{{- end }}
{{- $deadline := addf .values.shutdownTimeoutSeconds 10 }}
{{- if le (float64 .values.terminationGracePeriodSeconds) $deadline }}
{{- include $mistake (printf "%s.terminationGracePeriodSeconds is %v, but a worker may flush for %v s (shutdownTimeoutSeconds) and leave Kafka for 10 s: give more than %v" $path (include "onesignal-pipeline.text" .values.terminationGracePeriodSeconds) (include "onesignal-pipeline.text" .values.shutdownTimeoutSeconds) (include "onesignal-pipeline.text" $deadline)) }}
{{- end }}
{{- with dig "limits" "memory" "" .values.resources }}
{{- $bound := include "onesignal-pipeline.memoryBound" (dict "root" $.root "values" $.values "key" $.key) | int64 }}
{{- if lt (include "onesignal-pipeline.bytes" . | int64) $bound }}
{{- $row := include "onesignal-pipeline.destinationOf" $ | fromYaml }}
{{- $lower := ternary (print $row.api "MAX_BATCH_RECORDS") "PIPELINE_MAX_MESSAGES_IN_HAND" (and $row.batch.fillsByCount (eq $.key $row.sink.key)) }}
{{- include $mistake (printf "%s.resources.limits.memory is %v, but a worker with all %d partitions may use %d MB: give more, or lower %s in its settings" $path (include "onesignal-pipeline.text" .) $partitions (div (add $bound 999999) 1000000) $lower) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.resourceMistakes" -}}
{{- range $name, $reader := dict "cpu" "millicores" "memory" "bytes" "ephemeral-storage" "bytes" }}
{{- $request := dig "requests" $name "" $.resources }}
{{- $limit := dig "limits" $name "" $.resources }}
{{- $reader = printf "onesignal-pipeline.%s" $reader }}
{{- if not (or (eq (toString $request) "") (eq (toString $limit) "")) }}
{{- if gt (include $reader $request | int64) (include $reader $limit | int64) }}
{{- include "onesignal-pipeline.mistake" (printf "%s.requests.%s is %v and limits.%s %v: the former may not exceed the latter" $.path $name (include "onesignal-pipeline.text" $request) $name (include "onesignal-pipeline.text" $limit)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
