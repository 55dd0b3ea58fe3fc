{{- /*
What the program would refuse when a pod starts, refused before there is one. Each is a YAML list of mistakes; none shows an
address, which may hold a secret. The tests compare them with the program's own checks.
*/ -}}

{{- define "onesignal-pipeline.programMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- include "onesignal-pipeline.addressMistakes" (dict "path" "segment.endpoint" "address" .Values.segment.endpoint "instead" "segment.writeKey.existingSecret") }}
{{- if and .Values.segment.endpoint (not (regexMatch (printf "^[^/]*//[^/]*%s$" (include "onesignal-pipeline.pathPattern" .)) .Values.segment.endpoint)) }}
{{- include $mistake "segment.endpoint ends with the host: the path of the batch call belongs to it, such as /v1/batch" }}
{{- end }}
{{- include "onesignal-pipeline.addressMistakes" (dict "path" "mixpanel.endpoint" "address" .Values.mixpanel.endpoint "instead" "mixpanel.projectToken.existingSecret") }}
{{- if and .Values.mixpanel.endpoint (not (regexMatch "^[^/]*//[^/]+/(.*/)?import$" .Values.mixpanel.endpoint)) }}
{{- include $mistake "mixpanel.endpoint does not end with `/import`, the path of the call: add it" }}
{{- end }}
{{- include "onesignal-pipeline.textMistakes" (dict "path" "mixpanel.serviceAccount.username" "text" .Values.mixpanel.serviceAccount.username) }}
{{- include "onesignal-pipeline.addressMistakes" (dict "path" "schemaRegistry.url" "address" .Values.schemaRegistry.url "instead" "schemaRegistry.username and schemaRegistry.existingSecret") }}
{{- range $index, $server := .Values.kafka.bootstrapServers }}
{{- $pattern := printf "^%s:%s$" (include "onesignal-pipeline.hostPattern" $) (include "onesignal-pipeline.portPattern" $) }}
{{- if or (not (regexMatch $pattern $server)) (gt (len (regexFind "^[^:]*" $server)) 253) }}
{{- include $mistake (printf "kafka.bootstrapServers[%d] is not a broker's address: give `host:port`; user name and password belong in kafka.sasl" $index) }}
{{- end }}
{{- end }}
{{- include "onesignal-pipeline.textMistakes" (dict "path" "kafka.sasl.username" "text" .Values.kafka.sasl.username) }}
{{- include "onesignal-pipeline.textMistakes" (dict "path" "schemaRegistry.username" "text" .Values.schemaRegistry.username) }}
{{- include "onesignal-pipeline.groupMistakes" . }}
{{- include "onesignal-pipeline.topicMistakes" . }}
{{- include "onesignal-pipeline.rulesMistakes" . }}
{{- end }}

{{- /* Takes `path`, `address`, and `instead`: where user name and password belong. */ -}}
{{- define "onesignal-pipeline.addressMistakes" -}}
{{- $authority := printf "%s(:%s)?" (include "onesignal-pipeline.hostPattern" .) (include "onesignal-pipeline.portPattern" .) }}
{{- if not .address }}
{{- else if regexMatch "^[^/?#]*//[^/?#]*@" .address }}
{{- include "onesignal-pipeline.mistake" (printf "%s holds a user name or password: they belong in %s" .path .instead) }}
{{- else if or (gt (len (regexFind "//[^/:]*" .address)) 255) (not (regexMatch (printf "^(?i:https?)://%s(/[!-\"$->@-~]*)?$" $authority) .address)) }}
{{- include "onesignal-pipeline.mistake" (printf "%s is not an address such as https://host.example:8443/path: it needs https:// or http://, a host that can exist and a port from 1 to 65535, and no `?`, `#` or space" .path) }}
{{- end }}
{{- end }}

{{- /* Takes `path` and `text`. The program shows no text that may be a key, forge a line or steer a terminal. */ -}}
{{- define "onesignal-pipeline.textMistakes" -}}
{{- if contains "-----BEGIN" .text }}
{{- include "onesignal-pipeline.mistake" (printf "%s holds a key or a certificate itself" .path) }}
{{- else if not (regexMatch `^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$` (trim .text)) }}
{{- include "onesignal-pipeline.mistake" (printf "%s has a line break, or a character that cannot be seen" .path) }}
{{- end }}
{{- end }}

{{- /* A name as DNS has it, or an IPv4 address. */ -}}
{{- define "onesignal-pipeline.namePattern" -}}
{{- $label := "[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?" }}
{{- printf `%s(\.%s)*\.?` $label $label }}
{{- end }}

{{- define "onesignal-pipeline.colonsPattern" -}}
{{- $group := "[0-9A-Fa-f]{1,4}" }}
{{- $colons := list (printf "(%s:){7}(%s|:)" $group $group) (printf ":((:%s){1,7}|:)" $group) }}
{{- range $count := untilStep 1 7 1 }}
{{- $colons = append $colons (printf "(%s:){1,%d}(:%s){1,%d}" $group $count $group (sub 7 $count)) }}
{{- end }}
{{- $colons = append $colons (printf "(%s:){1,7}:" $group) }}
{{- join "|" $colons }}
{{- end }}

{{- define "onesignal-pipeline.hostPattern" -}}
{{- printf `(\[(%s)\]|%s)` (include "onesignal-pipeline.colonsPattern" .) (include "onesignal-pipeline.namePattern" .) }}
{{- end }}

{{- define "onesignal-pipeline.portPattern" -}}
([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])
{{- end }}

{{- /* A path with something in it, and without the parts `.` and `..`, which go away. */ -}}
{{- define "onesignal-pipeline.pathPattern" -}}
{{- $part := `([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+)` }}
{{- printf "/+%s(/%s?)*" $part $part }}
{{- end }}

{{- /* A pod knows its own consumer group, and takes the other's default for the other's. */ -}}
{{- define "onesignal-pipeline.groupMistakes" -}}
{{- $defaults := dict }}
{{- range include "onesignal-pipeline.destinations" . | fromYaml }}
{{- $_ := set $defaults .processor.key .processor.group }}
{{- $_ := set $defaults .sink.key .sink.group }}
{{- end }}
{{- range $key, $component := .Values.components }}
{{- $runs := include "onesignal-pipeline.runs" (dict "root" $ "key" $key) }}
{{- if $runs }}
{{- include "onesignal-pipeline.textMistakes" (dict "path" (printf "components.%s.consumerGroup" $key) "text" $component.consumerGroup) }}
{{- end }}
{{- range $other, $default := omit $defaults $key }}
{{- if and $runs (eq $component.consumerGroup $default) (ne (get $.Values.components $other).consumerGroup $default) }}
{{- include "onesignal-pipeline.mistake" (printf "components.%s.consumerGroup is the usual name of the group of components.%s: choose another" $key $other) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The same holds for the records topic of another destination. */ -}}
{{- define "onesignal-pipeline.topicMistakes" -}}
{{- range include "onesignal-pipeline.destinations" . | fromYaml }}
{{- $given := get $.Values.topics .records }}
{{- $usual := .topic }}
{{- range $path, $topic := omit (pick $.Values.topics "raw" "records" "mixpanelRecords" "deadLetters") .records }}
{{- if and (eq $topic $usual) (ne $given $usual) }}
{{- include "onesignal-pipeline.mistake" (printf "topics.%s is the usual name of another topic (%s): choose another" $path $usual) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* `rules.text` is compared with the shape of a rules file; `onesignal-pipeline rules check` reads all of it. */ -}}
{{- define "onesignal-pipeline.rulesMistakes" -}}
{{- $known := .Files.Get "vocabulary.yaml" | fromYaml }}
{{- range $row := include "onesignal-pipeline.destinations" . | fromYaml }}
{{- with include "onesignal-pipeline.at" (dict "root" $ "path" .rules) | fromYaml }}
{{- $file := .text | default (empty .document | ternary "" (toYaml .document)) }}
{{- if gt (regexReplaceAll "(?s)." (trimSuffix "\n" $file) "-" | len | add1) (int $known.mostCharacters) }}
{{- include "onesignal-pipeline.mistake" (printf "%s.%s is too large: a rules file has at most %d characters" $row.rules (empty .text | ternary "document" "text") (int $known.mostCharacters)) }}
{{- else if .text }}
{{- $read := fromYaml .text }}
{{- if not (hasKey $read "Error") }}
{{- include "onesignal-pipeline.shapeMistakes" (dict "path" (printf "%s.text" $row.rules) "value" $read "shape" $known.shape) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /*
What of `value` is not of a `shape`, of as much of JSON Schema as the shape of a rules file needs. A text may be a truth value
here: `no` is a word to the program.
*/ -}}
{{- define "onesignal-pipeline.shapeMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- $shape := .shape }}
{{- $kinds := dict "array" "slice" "object" "map" "number" "float64" "boolean" "bool" "string" "string" }}
{{- with .shape.if }}
{{- $shape = kindIs (get $kinds .type) $.value | ternary $.shape.then $.shape.else }}
{{- end }}
{{- $advice := "run `onesignal-pipeline rules check` on the file" }}
{{- $types := kindIs "slice" $shape.type | ternary $shape.type (list $shape.type) }}
{{- $fits := and (has "string" $types) (kindIs "bool" .value) }}
{{- range $types }}
{{- $fits = or $fits (and . (kindIs (get $kinds .) $.value)) }}
{{- end }}
{{- if $shape.enum }}
{{- if not (has .value $shape.enum) }}
{{- include $mistake (printf "%s has the unknown word %s: %s" .path (toString .value | trunc 100 | quote) $advice) }}
{{- end }}
{{- else if not $fits }}
{{- include $mistake (printf "%s must be of the type %s: %s" .path (join " or " $types) $advice) }}
{{- else if kindIs "slice" .value }}
{{- if or (gt (len .value) (int $shape.maxItems)) (lt (len .value) (int $shape.minItems)) }}
{{- include $mistake (printf "%s has %d entries: from %d to %d are allowed" .path (len .value) (int $shape.minItems) (int $shape.maxItems)) }}
{{- else }}
{{- range $index, $value := .value }}
{{- include "onesignal-pipeline.shapeMistakes" (dict "path" (printf "%s %d" $.path (add1 $index)) "value" $value "shape" $shape.items) }}
{{- end }}
{{- end }}
{{- else if kindIs "map" .value }}
{{- range $shape.required }}
{{- if not (hasKey $.value .) }}
{{- include $mistake (printf "%s lacks %s: %s" $.path . $advice) }}
{{- end }}
{{- end }}
{{- if lt (len .value) (int $shape.minProperties) }}
{{- include $mistake (printf "%s is empty: %s" .path $advice) }}
{{- end }}
{{- range $name, $value := .value }}
{{- $known := get ($shape.properties | default dict) $name | default $shape.additionalProperties }}
{{- if $known }}
{{- include "onesignal-pipeline.shapeMistakes" (dict "path" (printf "%s, %s" $.path (trunc 100 $name)) "value" $value "shape" $known) }}
{{- else }}
{{- include $mistake (printf "%s has the unknown key %s: %s" $.path (trunc 100 $name | quote) $advice) }}
{{- end }}
{{- end }}
{{- else if and (hasKey $shape "maximum") (or (gt (float64 .value) (float64 $shape.maximum)) (lt (float64 .value) (float64 $shape.minimum))) }}
{{- include $mistake (printf "%s must be from %v to %v" .path $shape.minimum $shape.maximum) }}
{{- else if and (hasKey $shape "maxLength") (kindIs "string" .value) }}
{{- if or (not (regexMatch $shape.pattern .value)) (gt (regexReplaceAll "(?s)." .value "-" | len) (int $shape.maxLength)) }}
{{- include $mistake (printf "%s must be a text of 1 to %d characters" .path (int $shape.maxLength)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What a component's settings say against each other, or against the topics. Takes `root`, `values`, `key` and `path`. */ -}}
{{- define "onesignal-pipeline.settingMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- $settings := .values.settings }}
{{- range $name, $value := $settings }}
{{- if kindIs "string" $value }}
{{- include "onesignal-pipeline.textMistakes" (dict "path" (printf "%s.settings.%s" $.path $name) "text" $value) }}
{{- end }}
{{- end }}
{{- with get $settings "PIPELINE_HTTP_HOST" }}
{{- $pattern := printf "^(%s|%s)$" (include "onesignal-pipeline.colonsPattern" $) (include "onesignal-pipeline.namePattern" $) }}
{{- if or (not (regexMatch $pattern .)) (gt (len .) 253) }}
{{- include $mistake (printf "%s.settings.PIPELINE_HTTP_HOST is no host name and no IP address" $.path) }}
{{- end }}
{{- end }}
{{- $orders := list (list "PIPELINE_REVOKE_TIMEOUT_SECONDS" 5 "PIPELINE_REBALANCE_TIMEOUT_SECONDS" 30 1) }}
{{- range $row := include "onesignal-pipeline.destinations" . | fromYaml }}
{{- $used := has $.key (list .processor.key .sink.key) }}
{{- range $name, $_ := $settings }}
{{- $used = or $used (hasPrefix $row.api $name) }}
{{- end }}
{{- if $used }}
{{- $orders = concat $orders (list
      (list (print .api "RETRY_BASE_SECONDS") .waits.first (print .api "RETRY_MAX_SECONDS") .waits.last 0)
      (list (print .api "FLUSH_INTERVAL_SECONDS") .waits.flush "PIPELINE_STALL_TIMEOUT_SECONDS" 300 0)
      (list (print .api "REQUEST_TIMEOUT_SECONDS") .waits.request "PIPELINE_STALL_TIMEOUT_SECONDS" 300 0)) }}
{{- end }}
{{- end }}
{{- range $orders }}
{{- $lower := hasKey $settings (index . 0) | ternary (get $settings (index . 0)) (index . 1) }}
{{- $upper := hasKey $settings (index . 2) | ternary (get $settings (index . 2)) (index . 3) }}
{{- if gt (addf $lower (index . 4)) (float64 $upper) }}
{{- $more := ternary (printf ", with %d s for the last commit" (index . 4)) "" (gt (index . 4) 0) }}
{{- include $mistake (printf "%s.settings: %s is %v%s, and %s is %v: the former may not exceed the latter" $.path (index . 0) $lower $more (index . 2) $upper) }}
{{- end }}
{{- end }}
{{- include "onesignal-pipeline.memoryTopicMistakes" . }}
{{- end }}

{{- /* The topics in which something is remembered, where a component uses them. */ -}}
{{- define "onesignal-pipeline.memoryTopicMistakes" -}}
{{- $mistake := "onesignal-pipeline.mistake" }}
{{- $settings := .values.settings }}
{{- $isProcessor := eq .key (include "onesignal-pipeline.destinationOf" . | fromYaml).processor.key }}
{{- $secret := and .root.Values.trackedUsers.existingSecret $isProcessor }}
{{- $tracks := $secret }}
{{- range concat .values.secretSettings .values.extraEnv }}
{{- $tracks = or $tracks (eq (.setting | default .name) "PIPELINE_TRACKED_USERS_SECRET") }}
{{- end }}
{{- $names := dict }}
{{- range $path, $name := pick .root.Values.topics "raw" "records" "mixpanelRecords" "deadLetters" }}
{{- $_ := set $names $name (printf "topics.%s" $path) }}
{{- end }}
{{- range list
      (list "PIPELINE_TRACKED_USERS_TOPIC" "onesignal.tracked-users" $tracks)
      (list "PIPELINE_TRACKED_USERS_FEED_TOPIC" "" true)
      (list "PIPELINE_MESSAGE_CATALOGUE_TOPIC" "onesignal.message-catalogue" (get $settings "PIPELINE_MESSAGE_CATALOGUE"))
      (list "PIPELINE_MIXPANEL_TRACKED_USERS_TOPIC" "mixpanel.tracked-users" $tracks)
      (list "PIPELINE_MIXPANEL_TRACKED_USERS_FEED_TOPIC" "" true)
      (list "PIPELINE_MIXPANEL_MESSAGE_CATALOGUE_TOPIC" "mixpanel.message-catalogue" (get $settings "PIPELINE_MESSAGE_CATALOGUE")) }}
{{- $variable := index . 0 }}
{{- $name := get $settings $variable | default (index . 1) }}
{{- if and (index . 2) $name }}
{{- with get $names $name }}
{{- include $mistake (printf "%s.settings: %s is the topic of %s: each needs its own topic" $.path $variable .) }}
{{- end }}
{{- $_ := set $names $name $variable }}
{{- end }}
{{- end }}
{{- range $feed := list "PIPELINE_TRACKED_USERS_FEED_TOPIC" "PIPELINE_MIXPANEL_TRACKED_USERS_FEED_TOPIC" }}
{{- if and (get $settings $feed) (not $tracks) }}
{{- include $mistake (printf "trackedUsers.existingSecret is empty: %s.settings.%s is of no use without it" $.path $feed) }}
{{- end }}
{{- end }}
{{- $retention := "PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS" }}
{{- if and $tracks $isProcessor (or (hasKey $settings $retention) (not $secret)) }}
{{- $kept := hasKey $settings $retention | ternary (get $settings $retention) 936 | int64 }}
{{- $raw := int64 .root.Values.topics.retentionHours.raw }}
{{- if and (ge $kept 0) (or (lt $raw 0) (lt $kept (add 744 $raw))) }}
{{- include $mistake (printf "%s.settings: %s is %d, but users must be remembered for a month (744) longer than topics.retentionHours.raw (%d): raise the former, `-1` is for ever" .path $retention $kept $raw) }}
{{- end }}
{{- end }}
{{- end }}
