"""Values that cannot work are refused before anything is installed, with words that name the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from tests.deploy.rendering import EVERYTHING, LEAST, RefusedError

if TYPE_CHECKING:
    from tests.deploy.rendering import Chart

SASL: Final = {"kafka.securityProtocol": "SASL_SSL"}
MIXPANEL: Final = {"mixpanel.enabled": True}
HPA: Final = {"components.segmentSink.autoscaling.hpa.enabled": True}
RESOURCES: Final = "componentDefaults.resources"
FROM: Final = {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
SECRET: Final = {"setting": "PIPELINE_TRACKED_USERS_SECRET", "existingSecret": "a", "key": "b"}
POD_MONITOR: Final = "monitoring.podMonitor"
ALERTS: Final = "monitoring.prometheusRule"
INSTANCE: Final = "app.kubernetes.io/instance"
COMPONENT: Final = "app.kubernetes.io/component"
BOTH: Final = {"hpa": {"enabled": True}, "keda": {"enabled": True}}

Refusals: TypeAlias = list[tuple[dict[str, Any], str]]

SCHEMA: Final[Refusals] = [
    ({"kafka.bootstrapServer": ["kafka:9092"]}, "additional properties 'bootstrapServer' not allowed"),
    ({"segmnt": {}}, "additional properties 'segmnt' not allowed"),
    ({"components.processor.replica": 2}, "additional properties 'replica' not allowed"),
    ({"components.sink": {}}, "additional properties 'sink' not allowed"),
    ({"componentDefaults.livenessProbe.path": "/"}, "additional properties 'path' not allowed"),
    ({"componentDefaults.settings.PIPELINE_SEGMENT_LANE": 2}, "'PIPELINE_SEGMENT_LANE' not allowed"),
    ({"componentDefaults.settings.PIPELINE_RAW_TOPIC": "x"}, "'PIPELINE_RAW_TOPIC' not allowed"),
    ({"componentDefaults.settings.PIPELINE_SEGMENT_LANES": 65}, "maximum: got 65, want 64"),
    ({"componentDefaults.settings.PIPELINE_SEGMENT_GZIP": "yes"}, "got string, want boolean"),
    ({"componentDefaults.settings.PIPELINE_LOG_LEVEL": "loud"}, "value must be one of 'debug', 'info'"),
    ({"componentDefaults.secretSettings": [{**SECRET, "setting": "SECRET"}]}, "value must be one of 'PIPELINE_"),
    (
        {"componentDefaults.secretSettings": [{**SECRET, "setting": "PIPELINE_SEGMENT_LANES"}]},
        "secretSettings/0/setting",
    ),
    ({"componentDefaults.extraEnv": [{"name": "PIPELINE_RAW_TOPIC", "value": "a"}]}, "missing property 'valueFrom'"),
    ({"componentDefaults.extraEnv": [{"name": "PIPELINE_RAW_TOPIC_FILE", **FROM}]}, "value must be one of 'PIPELINE_K"),
    ({"componentDefaults.replicas": "2"}, "got string, want integer"),
    ({"componentDefaults.replicas": 0}, "minimum: got 0, want 1"),
    ({"componentDefaults.resources.limits.memory": "1 GB"}, "does not match pattern"),
    ({"kafka.securityProtocol": "TLS"}, "value must be one of"),
    ({"segment.region": "asia"}, "value must be one of 'us', 'eu'"),
    ({"segment.maxRequestsPerSecond": 0.5}, "minimum"),
    ({"podSecurity.runAsUser": 0}, "minimum: got 0, want 1"),
    ({"topics.raw": "a topic"}, "does not match pattern"),
    ({"rules.preset": "keep-none"}, "value must be one of"),
    ({"rules.document": {"rules": [{"when": {"chanel": "push"}, "then": "keep"}]}}, "'chanel' not allowed"),
    ({"rules.document": {"rules": [{"then": "kep"}]}}, "rules/document/rules/0/then"),
    ({"rules.document": {"rules": [{"when": {"tag": {"level": 1000000}}, "then": "keep"}]}}, "got number, want string"),
    ({"image.digest": "latest"}, "does not match pattern"),
    ({"monitoring.podMonitor.interval": "often"}, "does not match pattern"),
    ({"monitoring.podMonitor.interval": "30s1m"}, "'30s1m' does not match pattern"),
    ({"monitoring.podMonitor.interval": ""}, "minLength: got 0, want 2"),
]
CONTRADICTIONS: Final[Refusals] = [
    ({"kafka.bootstrapServers": []}, "kafka.bootstrapServers is empty"),
    ({"kafka.bootstrapServers": ["a:1", "kafka"]}, "kafka.bootstrapServers[1] is not a broker's address"),
    ({"segment.endpoint": "https://u:p@a.test/v1"}, "segment.endpoint holds a user name or password: they belong in"),
    ({"segment.endpoint": "https://a.test"}, "segment.endpoint ends with the host"),
    ({"schemaRegistry.url": "http://a.test:0"}, "schemaRegistry.url is not an address such as"),
    ({"rules.text": "rules: [{then: kep}]"}, 'rules.text, rules 1, then has the unknown word "kep"'),
    (
        {"components.segmentSink.settings.PIPELINE_STALL_TIMEOUT_SECONDS": 14},
        "is 15, and PIPELINE_STALL_TIMEOUT_SECONDS",
    ),
    ({"segment.writeKey.existingSecret": ""}, "segment.writeKey.existingSecret is empty"),
    ({"components.processor.replicas": 13}, "up to 13 workers for 12 partitions"),
    ({"components.segmentSink.autoscaling": {"maxReplicas": 13, "hpa": {"enabled": True}}}, "up to 13 workers for 12"),
    ({"topics.partitions": 4, "componentDefaults.autoscaling.keda.enabled": True}, "up to 6 workers for 4"),
    ({"components.processor.autoscaling": BOTH}, "hpa and keda are both enabled"),
    ({"components.segmentSink.autoscaling": BOTH}, "components.segmentSink.autoscaling: hpa and keda are both enabled"),
    (
        {"componentDefaults.autoscaling": {"minReplicas": 5, "maxReplicas": 4, "hpa": {"enabled": True}}},
        "minReplicas is 5 and maxReplicas 4",
    ),
    ({"componentDefaults.terminationGracePeriodSeconds": 19}, "terminationGracePeriodSeconds is 19"),
    ({"componentDefaults.terminationGracePeriodSeconds": 30}, "give more than 30"),
    ({"components.segmentSink.shutdownTimeoutSeconds": 60}, "may flush for 60 s"),
    ({"componentDefaults.rollout.maxUnavailable": 0}, "no pod could ever be replaced"),
    ({"topics.partitions": 64}, "resources.limits.memory is 256Mi"),
    ({"components.segmentSink.settings.PIPELINE_FETCH_MAX_BYTES": 10_485_760}, "memory is 256Mi, but a worker"),
    ({**HPA, f"{RESOURCES}.requests.cpu": None}, "components.segmentSink.resources.requests.cpu is empty"),
    ({**HPA, f"{RESOURCES}.requests.cpu": 0}, "components.segmentSink.resources.requests.cpu is empty or 0"),
    ({f"{RESOURCES}.requests.memory": "257Mi"}, "processor.resources.requests.memory is 257Mi and limits.memory 256Mi"),
    ({f"{RESOURCES}.requests.memory": 268435457}, "requests.memory is 268435457 and limits.memory 256Mi"),
    ({f"{RESOURCES}.limits.cpu": "249m"}, "segmentSink.resources.requests.cpu is 250m and limits.cpu 249m"),
    ({f"{RESOURCES}.limits.cpu": 0.2}, "requests.cpu is 250m and limits.cpu 0.2"),
    ({f"{RESOURCES}.requests.cpu": 1, f"{RESOURCES}.limits.cpu": "0.999"}, "requests.cpu is 1 and limits.cpu 0.999"),
    (
        {f"{RESOURCES}.requests.ephemeral-storage": "1G", f"{RESOURCES}.limits.ephemeral-storage": "999M"},
        "requests.ephemeral-storage is 1G and limits.ephemeral-storage 999M",
    ),
    ({"topics.job.resources.requests.memory": "1Gi"}, "topics.job.resources.requests.memory is 1Gi and limits"),
    (SASL, "kafka.sasl.existingSecret is empty"),
    ({**SASL, "kafka.sasl.existingSecret": "kafka"}, "kafka.sasl.username is empty"),
    ({"kafka.sasl.existingSecret": "kafka"}, "kafka.sasl is set, but kafka.securityProtocol is PLAINTEXT"),
    ({"kafka.tls.ca.existingSecret": "ca"}, "kafka.tls names certificates, but kafka.securityProtocol is PLAINTEXT"),
    (
        {"kafka.securityProtocol": "SSL", "kafka.tls.ca": {"existingSecret": "a", "existingConfigMap": "b"}},
        "kafka.tls.ca.existingSecret and kafka.tls.ca.existingConfigMap are both set",
    ),
    ({"topics.records": "onesignal.events"}, "each needs its own topic"),
    ({"topics.mixpanelRecords": "segment.records"}, "each needs its own topic"),
    (
        {"topics.mixpanelRecords": "other", "topics.raw": "mixpanel.records"},
        "topics.raw is the usual name of another topic (mixpanel.records)",
    ),
    (MIXPANEL, "mixpanel.projectToken.existingSecret is empty"),
    (
        {"mixpanel.serviceAccount.projectId": "1"},
        "mixpanel.serviceAccount needs username, existingSecret and projectId",
    ),
    ({"mixpanel.projectToken.existingSecret": "a", "mixpanel.serviceAccount.username": "a"}, "are both set: keep one"),
    ({"mixpanel.region": "in", "mixpanel.endpoint": "https://a.test/import"}, "mixpanel.region and mixpanel.endpoint"),
    ({"mixpanel.rules": {"preset": "keep-all", "text": "rules: []"}}, "mixpanel.rules.preset, mixpanel.rules.text are"),
    ({"mixpanel.rules.preset": "tracked-only"}, "the mixpanel.rules keep events of tracked users only"),
    ({"mixpanel.rules.text": "default: keep"}, "mixpanel.rules.text is no rules file"),
    (
        {**MIXPANEL, "mixpanel.projectToken.existingSecret": "a", "topics.partitions": 16},
        "or lower PIPELINE_MIXPANEL_MAX_BATCH_RECORDS in its settings",
    ),
    (
        {"components.processor.consumerGroup": "onesignal-pipeline-segment-sink"},
        "components.processor.consumerGroup, components.segmentSink.consumerGroup are the same",
    ),
    ({"segment.region": "eu", "segment.endpoint": "https://a.test/v1/batch"}, "segment.region and segment.endpoint"),
    ({"rules.preset": "keep-all", "rules.text": "rules: []"}, "rules.preset, rules.text are set"),
    ({"rules.preset": "tracked-only"}, "trackedUsers.existingSecret is empty"),
    ({"rules.text": "rules: [{then: tracked_only}]"}, "trackedUsers.existingSecret is empty"),
    ({"rules.document": {"rules": [{"then": "tracked_only"}]}}, "trackedUsers.existingSecret is empty"),
    ({"trackedUsers.existingSecret": "users"}, "components.processor.resources.limits.memory is 256Mi"),
    ({"components.processor.settings.PIPELINE_MESSAGE_CATALOGUE": True}, "limits.memory is 256Mi"),
    ({"rules.text": "default: keep"}, "rules.text is no rules file"),
    ({"rules.text": "rules: ["}, "rules.text is no rules file (error converting YAML"),
    ({"names.profile": "custom"}, "names.custom and names.profile"),
    ({"names.custom": {"message.push.sent": "Pushed"}}, "names.custom and names.profile"),
    ({"schemaRegistry.username": "a"}, "schemaRegistry.url is empty"),
    ({"schemaRegistry.url": "https://a.test", "schemaRegistry.username": "a"}, "go together"),
    ({"formats.records": "avro"}, "formats.records is avro, which needs a registry"),
    ({"formats.raw": "auto"}, "formats.raw is auto, which needs a registry"),
    ({"formats.rawSchema.existingConfigMap": "a"}, "formats.rawSchema is set, but formats.raw is json"),
    ({"monitoring.scrapeAnnotations": True, "monitoring.podMonitor.enabled": True}, "count twice"),
    ({ALERTS: {"enabled": True, "alertLabels": {"severity": "page"}}}, "alertLabels sets severity"),
    ({ALERTS: {"enabled": True, "alertLabels": {"between": "us"}}}, "alertLabels sets between"),
    (
        {POD_MONITOR: {"enabled": True, "scrapeTimeout": "30s"}},
        "monitoring.podMonitor.scrapeTimeout is 30s and interval 15s",
    ),
    ({POD_MONITOR: {"enabled": True, "interval": "9999ms"}}, "scrapeTimeout is 10s and interval 9999ms"),
    (
        {POD_MONITOR: {"enabled": True, "interval": "1h1m", "scrapeTimeout": "1h1m1ms"}},
        "scrapeTimeout is 1h1m1ms and interval 1h1m",
    ),
    ({"commonLabels": {INSTANCE: "a"}}, f"commonLabels sets {INSTANCE}, which the chart sets: remove it"),
    ({"commonLabels": {COMPONENT: "a"}}, f"commonLabels sets {COMPONENT}"),
    ({"commonLabels": {"helm.sh/chart": "a"}}, "commonLabels sets helm.sh/chart"),
    ({"componentDefaults.podLabels": {INSTANCE: "a"}}, f"components.segmentSink.podLabels sets {INSTANCE}"),
    ({"components.processor.podLabels": {COMPONENT: "a"}}, f"components.processor.podLabels sets {COMPONENT}"),
    ({POD_MONITOR: {"enabled": True, "labels": {INSTANCE: "a"}}}, f"podMonitor.labels sets {INSTANCE}, which"),
    ({ALERTS: {"enabled": True, "labels": {INSTANCE: "a"}}}, f"prometheusRule.labels sets {INSTANCE}, which"),
    ({"topics.job.serviceAccountAnnotations": {"helm.sh/hook": "a"}}, "serviceAccountAnnotations sets helm.sh/hook,"),
    ({"componentDefaults.extraEnv": [{"name": "TMPDIR", "value": "/a"}]}, "extraEnv sets TMPDIR"),
    (
        {"componentDefaults.extraEnv": [{"name": "PIPELINE_RAW_TOPIC", **FROM}]},
        "extraEnv sets PIPELINE_RAW_TOPIC",
    ),
    (
        {"componentDefaults.extraEnv": [{"name": "PIPELINE_SEGMENT_WRITE_KEY_FILE", **FROM}]},
        "extraEnv sets PIPELINE_SEGMENT_WRITE_KEY_FILE",
    ),
    (
        {"componentDefaults.extraEnv": [{"name": "PIPELINE_SEGMENT_WRITE_KEY", **FROM}]},
        "extraEnv sets PIPELINE_SEGMENT_WRITE_KEY, but the chart sets PIPELINE_SEGMENT_WRITE_KEY_FILE",
    ),
    (
        {"componentDefaults.secretSettings": [{**SECRET, "setting": "PIPELINE_SEGMENT_WRITE_KEY"}]},
        "secretSettings sets PIPELINE_SEGMENT_WRITE_KEY, which is set already",
    ),
    (
        {"components.processor.secretSettings": [SECRET, SECRET]},
        "secretSettings sets PIPELINE_TRACKED_USERS_SECRET, which is set already",
    ),
    (
        {"components.processor.extraEnv": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}]},
        "components.processor.extraEnv sets A 2 times",
    ),
]


def words(values: Refusals) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("values", "said"), values, ids=[said[:50] for _, said in values])


@words(SCHEMA)
def test_the_schema_refuses(chart: Chart, values: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        chart.render(LEAST, values=values)
    assert "don't meet the specifications of the schema" in str(refused.value)
    assert said in str(refused.value)


@words(CONTRADICTIONS)
def test_the_templates_refuse(chart: Chart, values: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        chart.render(LEAST, values=values)
    assert "these values cannot work:" in str(refused.value)
    assert said in str(refused.value)


def test_every_mistake_is_told_at_once(chart: Chart) -> None:
    with pytest.raises(RefusedError) as refused:
        chart.render(values={"components.processor.replicas": 20, "topics.records": "onesignal.events"})
    told = [line for line in str(refused.value).splitlines() if line.startswith("  - ")]
    assert len(told) == 4


def test_every_variable_that_is_taken_is_told_at_once(chart: Chart) -> None:
    taken = ("TMPDIR", "PIPELINE_RAW_TOPIC", "PIPELINE_SEGMENT_WRITE_KEY")
    with pytest.raises(RefusedError) as refused:
        chart.render(LEAST, values={"components.segmentSink.extraEnv": [{"name": name, **FROM} for name in taken]})
    told = [line for line in str(refused.value).splitlines() if line.startswith("  - ")]
    assert [line.split()[3].rstrip(",") for line in told] == list(taken)


@pytest.mark.parametrize(
    "values",
    [
        {**HPA, RESOURCES: {"requests": {"cpu": None}, "limits": {"cpu": "500m"}}},
        {f"{RESOURCES}.requests.cpu": 0.25, f"{RESOURCES}.limits.cpu": "250m"},
        {f"{RESOURCES}.requests.memory": 268435456},
        {POD_MONITOR: {"enabled": True, "interval": "1m30s", "scrapeTimeout": "90s"}},
        {POD_MONITOR: {"enabled": True, "interval": "1s", "scrapeTimeout": "1000ms"}},
        {ALERTS: {"enabled": False, "alertLabels": {"severity": "page"}}},
        {f"{POD_MONITOR}.enabled": True, "componentDefaults.podLabels": {"app.kubernetes.io/version": "1"}},
        {"components.processor": {"enabled": False, "consumerGroup": "onesignal-pipeline-segment-sink"}},
        {"components.processor.extraEnv": [{"name": "PIPELINE_TRACKED_USERS_SECRET", **FROM}]},
    ],
    ids=str,
)
def test_what_just_works_is_taken(chart: Chart, values: dict[str, Any]) -> None:
    chart.render(LEAST, values=values)


def test_a_component_that_is_off_is_not_judged(chart: Chart) -> None:
    off = {"components.segmentSink": {"enabled": False, "replicas": 99}, "segment.writeKey.existingSecret": ""}
    assert list(chart.render(LEAST, values=off).pods()) == ["processor", "topics"]


@pytest.mark.parametrize(
    ("values", "pods"),
    [
        ({"mixpanel.enabled": False}, {"processor", "segment-sink"}),
        ({}, {"processor", "segment-sink", "mixpanel-processor", "mixpanel-sink"}),
        ({"segment.enabled": False, "segment.writeKey.existingSecret": ""}, {"mixpanel-processor", "mixpanel-sink"}),
        ({"components.mixpanelProcessor.enabled": False}, {"processor", "segment-sink", "mixpanel-sink"}),
    ],
    ids=["Segment alone", "both", "Mixpanel alone", "one component less"],
)
def test_one_value_switches_a_destination(chart: Chart, values: dict[str, Any], pods: set[str]) -> None:
    both = {"mixpanel.enabled": True, "mixpanel.projectToken.existingSecret": "mixpanel"}
    assert chart.render(LEAST, values={**both, **values}).pods().keys() == {*pods, "topics"}


def test_hpa_and_scaled_object_never_set_the_same_deployment(chart: Chart) -> None:
    manifests = chart.render(EVERYTHING)
    targets = [
        each["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for each in manifests.of_kind(kind)
    ]
    assert len(targets) == len(set(targets)) == 3
    scaled = [each for each in manifests.of_kind("Deployment") if each["metadata"]["name"] in targets]
    assert ["replicas" in each["spec"] for each in scaled] == [False, False, False]
