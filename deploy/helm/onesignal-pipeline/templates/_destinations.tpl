{{- /*
The destinations, and what of the chart differs between them. A further destination is a row here, with its values. Of a row:
  title      its name in words
  processor  the processor's block in `components`, its name, what the program is started with, and its usual consumer group
  sink       the same of the sink
  own        prefix of the variables of its processor and topics
  api        prefix of the variables of its sink
  block      block of values with its switch, its address and its limits
  records    name of its records topic in `topics`, and of that topic's retention
  topic      what the program takes for that topic if nothing is set
  rules      path of its rules in the values; `names` likewise, and `profile` where there is one
  folder     what its ConfigMaps have before their names
  waits      the program's first and last delay of a retry, longest flush and longest request, in seconds
  batch      the program's records and bytes of a request; `fillsByCount` if the former is what fills it
*/ -}}
{{- define "onesignal-pipeline.destinations" -}}
segment:
  title: Segment
  processor:
    key: processor
    name: processor
    arguments: [worker, processor]
    group: onesignal-pipeline-processor
  sink:
    key: segmentSink
    name: segment-sink
    arguments: [worker, segment-sink]
    group: onesignal-pipeline-segment-sink
  own: PIPELINE_
  api: PIPELINE_SEGMENT_
  block: segment
  records: records
  topic: segment.records
  rules: rules
  names: names.custom
  profile: names.profile
  folder: ""
  waits: {first: 0.5, last: 60, flush: 1, request: 15}
  batch: {records: 500, bytes: 500000, fillsByCount: false}
mixpanel:
  title: Mixpanel
  processor:
    key: mixpanelProcessor
    name: mixpanel-processor
    arguments: [worker, processor, --destination, mixpanel]
    group: onesignal-pipeline-mixpanel-processor
  sink:
    key: mixpanelSink
    name: mixpanel-sink
    arguments: [worker, mixpanel-sink]
    group: onesignal-pipeline-mixpanel-sink
  own: PIPELINE_MIXPANEL_
  api: PIPELINE_MIXPANEL_
  block: mixpanel
  records: mixpanelRecords
  topic: mixpanel.records
  rules: mixpanel.rules
  names: mixpanel.names
  profile: ""
  folder: mixpanel-
  waits: {first: 2, last: 60, flush: 1, request: 30}
  batch: {records: 2000, bytes: 2000000, fillsByCount: true}
{{- end }}

{{- /* The destinations of which a component is enabled, as YAML; the first where there are none. */ -}}
{{- define "onesignal-pipeline.destinationsInUse" -}}
{{- $used := dict }}
{{- range $name, $row := include "onesignal-pipeline.destinations" . | fromYaml }}
{{- if or (include "onesignal-pipeline.runs" (dict "root" $ "key" $row.processor.key)) (include "onesignal-pipeline.runs" (dict "root" $ "key" $row.sink.key)) }}
{{- $_ := set $used $name $row }}
{{- end }}
{{- end }}
{{- toYaml ($used | default (pick (include "onesignal-pipeline.destinations" . | fromYaml) "segment")) }}
{{- end }}

{{- /* The row of the component `key`, as YAML; one without anything of its own for a component of no destination. */ -}}
{{- define "onesignal-pipeline.destinationOf" -}}
{{- $none := dict "key" "" }}
{{- $found := dict "processor" $none "sink" $none "api" "PIPELINE_" "batch" (dict "records" 0 "bytes" 0 "fillsByCount" false) }}
{{- range include "onesignal-pipeline.destinations" .root | fromYaml }}
{{- if has $.key (list .processor.key .sink.key) }}
{{- $found = . }}
{{- end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{- /* The value at `path`, such as `mixpanel.rules`, as YAML. */ -}}
{{- define "onesignal-pipeline.at" -}}
{{- $value := .root.Values }}
{{- range splitList "." .path }}
{{- $value = get $value . }}
{{- end }}
{{- toYaml $value }}
{{- end }}
