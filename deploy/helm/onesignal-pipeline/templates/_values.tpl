{{- /* Reading values: a component's over the defaults, numbers as text, quantities as bytes, durations as milliseconds. */ -}}

{{- /* Lay the map `over` onto the map `base`, in place. Sprig's merge takes `false` and 0 for absent. */ -}}
{{- define "onesignal-pipeline.overlay" -}}
{{- range $key, $value := .over }}
{{- if and (kindIs "map" $value) (kindIs "map" (get $.base $key)) }}
{{- include "onesignal-pipeline.overlay" (dict "base" (get $.base $key) "over" $value) }}
{{- else }}
{{- $_ := set $.base $key $value }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The values of the component `key`, as YAML. It is off where its destination is. */ -}}
{{- define "onesignal-pipeline.componentValues" -}}
{{- $values := deepCopy .root.Values.componentDefaults }}
{{- include "onesignal-pipeline.overlay" (dict "base" $values "over" (get .root.Values.components .key)) }}
{{- with (include "onesignal-pipeline.destinationOf" . | fromYaml).block }}
{{- if not (get $.root.Values .).enabled }}
{{- $_ := set $values "enabled" false }}
{{- end }}
{{- end }}
{{- toYaml $values }}
{{- end }}

{{- /* Whether the component `key` is enabled. */ -}}
{{- define "onesignal-pipeline.runs" -}}
{{- if (include "onesignal-pipeline.componentValues" . | fromYaml).enabled }}yes{{ end }}
{{- end }}

{{- /* A value as the environment has it. Helm reads 1048576 as a float and would write 1.048576e+06. */ -}}
{{- define "onesignal-pipeline.text" -}}
{{- if and (kindIs "float64" .) (eq (float64 .) (floor .)) }}
{{- int64 . }}
{{- else }}
{{- . }}
{{- end }}
{{- end }}

{{- define "onesignal-pipeline.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- $unit := regexFind "[A-Za-z]*$" (toString .) }}
{{- mulf (regexFind "^[0-9.]+" (include "onesignal-pipeline.text" .) | float64) (get $units $unit) | int64 }}
{{- end }}

{{- /* CPU in thousandths of a core, rounded up as Kubernetes does. */ -}}
{{- define "onesignal-pipeline.millicores" -}}
{{- $number := toString . | trimSuffix "m" | float64 }}
{{- hasSuffix "m" (toString .) | ternary $number (mulf $number 1000) | ceil | int64 }}
{{- end }}

{{- define "onesignal-pipeline.milliseconds" -}}
{{- $units := dict "h" 3600000 "m" 60000 "s" 1000 "ms" 1 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+(ms|h|m|s)" . -1 }}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{- /* The most workers of a component that there can be, out of its values. */ -}}
{{- define "onesignal-pipeline.mostReplicas" -}}
{{- $scaled := or .autoscaling.hpa.enabled .autoscaling.keda.enabled }}
{{- ternary .autoscaling.maxReplicas .replicas $scaled | int }}
{{- end }}

{{- /* One worker's share of a limit, rounded down to thousandths. */ -}}
{{- define "onesignal-pipeline.share" -}}
{{- include "onesignal-pipeline.text" (divf (floor (divf (mulf .whole 1000) .workers)) 1000) }}
{{- end }}

{{- /* The bound of a worker's memory in bytes, as docs/operate/capacity.md has it; PIPELINE_ defaults are the program's. */ -}}
{{- define "onesignal-pipeline.memoryBound" -}}
{{- $fetch := get .values.settings "PIPELINE_FETCH_MAX_BYTES" | default 1048576 | int64 }}
{{- $hand := get .values.settings "PIPELINE_MAX_MESSAGES_IN_HAND" | default 2000 | int64 }}
{{- $poll := get .values.settings "PIPELINE_MAX_POLL_RECORDS" | default 1000 | int64 }}
{{- $row := include "onesignal-pipeline.destinationOf" . | fromYaml }}
{{- $isProcessor := eq .key $row.processor.key }}
{{- $isSink := eq .key $row.sink.key }}
{{- $message := add (int64 .root.Values.topics.messageBytes) 500 }}
{{- $users := 0 }}
{{- if and .root.Values.trackedUsers.existingSecret $isProcessor }}
{{- $users = mul 150 (int64 .root.Values.trackedUsers.most) }}
{{- end }}
{{- /* The message catalogue holds about 100 MB at the most. */}}
{{- $catalogue := ternary 100000000 0 (eq (toString (get .values.settings "PIPELINE_MESSAGE_CATALOGUE")) "true") }}
{{- $bytes := get .values.settings "PIPELINE_MAX_BYTES_IN_HAND" | default 4194304 | int64 }}
{{- /* Where records fill a request, there is room for two, and in bytes for the batch in which the first one ends. */}}
{{- $request := get .values.settings (print $row.api "MAX_BATCH_BYTES") | default $row.batch.bytes | int64 }}
{{- if and $row.batch.fillsByCount $isSink }}
{{- $hand = max $hand (mul 2 (get .values.settings (print $row.api "MAX_BATCH_RECORDS") | default $row.batch.records | int64)) }}
{{- $bytes = max $bytes (add (mul 2 $request) $fetch) }}
{{- end }}
{{- $waiting := min (mul (add $hand $poll) $message) (add $bytes $fetch (mul (add $hand $poll) 500)) }}
{{- $records := ternary (mul $poll (add $message 500)) 0 $isProcessor }}
{{- /* A request and its compressed copy: small change for Segment's 500 KB, which is in the first 100 MB. */}}
{{- $lanes := get .values.settings (print $row.api "LANES") | default 4 | int64 }}
{{- $requests := ternary (mul 2 $lanes $request) 0 (and $row.batch.fillsByCount $isSink) }}
{{- /* Of Avro, each lane of a sink decodes what two requests hold, and a batch: the JSON is up to three times as large. */}}
{{- $batch := min (mul $poll (int64 .root.Values.topics.messageBytes)) $fetch }}
{{- $reads := and $isSink (ne (toString .root.Values.schemaRegistry.url) "") }}
{{- $decoded := ternary (mul $lanes (add (mul 2 $row.batch.bytes) (mul 3 $batch))) 0 $reads }}
{{- $unpacked := get .values.settings "PIPELINE_MAX_UNPACKED_BATCH_BYTES" | default 33554432 | int64 }}
{{- add 100000000 $users $catalogue $requests $decoded $unpacked (mul (int64 .root.Values.topics.partitions) (add (mul 2 $fetch) $waiting $records)) }}
{{- end }}
