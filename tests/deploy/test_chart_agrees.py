"""What the program refuses when a pod starts, the chart refuses before: both judge the same values."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from pipeline.core.yaml_document import MAX_FILE_CHARACTERS
from pipeline.settings.environment import secret_file_variable
from pipeline.settings.expectations import secrets
from pipeline.settings.loading import load_settings
from pipeline.settings.mistakes import SettingsError, variable
from tests.deploy.rendering import LEAST, Chart, RefusedError
from tests.deploy.test_chart_settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PASSWORD: Final = "hunter2hunter2"
ENDPOINT: Final = "segment.endpoint"
REGISTRY: Final = "schemaRegistry.url"
SERVERS: Final = "kafka.bootstrapServers"
TEXT: Final = "rules.text"
PROCESSOR: Final = "components.processor.settings"
SINK: Final = "components.segmentSink.settings"
MIXPANEL_SINK: Final = "components.mixpanelSink.settings"
MIXPANEL: Final[dict[str, Any]] = {
    "mixpanel.enabled": True,
    "mixpanel.projectToken.existingSecret": "mixpanel",
}
TRACKED: Final = {"trackedUsers.existingSecret": "tracked-users", "componentDefaults.resources.limits.memory": "1G"}
LONG_HOST: Final = "a." * 124 + "a.test"
LAST_KIND: Final = "rules: [{when: {kind: message.push.sent}, then: drop}]\n"


def names(**custom: str) -> dict[str, Any]:
    return {"names": {"profile": "custom", "custom": custom}}


def extra(name: str, value: str) -> dict[str, Any]:
    return {"componentDefaults.extraEnv": [{"name": name, "value": value}]}


def referred(name: str, source: str = "kafka", key: str = "password") -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": source, "key": key}}
    return {"componentDefaults.extraEnv": [{"name": name, "valueFrom": reference}]}


TRACKED_BY_REFERENCE: Final = referred("PIPELINE_TRACKED_USERS_SECRET", "tracked-users", "hash-key")


def secret(setting: str) -> dict[str, Any]:
    return {"componentDefaults.secretSettings": [{"setting": setting, "existingSecret": "kafka", "key": "password"}]}


def kafka_user(name: str) -> dict[str, Any]:
    return {
        "kafka.securityProtocol": "SASL_PLAINTEXT",
        "kafka.sasl.existingSecret": "kafka",
        "kafka.sasl.username": name,
    }


def rules_of(characters: int) -> str:
    return LAST_KIND + "#" * (characters - len(LAST_KIND) - 1) + "\n"


def many_rules(count: int) -> str:
    return "rules:\n" + "- then: keep\n" * count


REFUSED: Final[Mapping[str, dict[str, Any]]] = {
    # addresses
    "a password in the endpoint": {ENDPOINT: f"https://user:{PASSWORD}@proxy.test/v1/batch"},
    "a user name in the endpoint": {ENDPOINT: f"https://{PASSWORD}@proxy.test/v1/batch"},
    "a password in a worse endpoint": {ENDPOINT: f"https://user:{PASSWORD}@proxy.test/v1/batch?a=b"},
    "a password and no host": {ENDPOINT: f"https://:{PASSWORD}@/v1"},
    "an endpoint without a path": {ENDPOINT: "https://proxy.test"},
    "an endpoint of a host and a slash": {ENDPOINT: "https://proxy.test/"},
    "an endpoint whose path goes away": {ENDPOINT: "https://proxy.test/v1/.."},
    "an endpoint whose path is a dot": {ENDPOINT: "https://proxy.test/."},
    "an endpoint with a query": {ENDPOINT: f"https://proxy.test/v1?key={PASSWORD}"},
    "an endpoint with a fragment": {ENDPOINT: f"https://proxy.test/v1#{PASSWORD}"},
    "an endpoint without a scheme": {ENDPOINT: "proxy.test/v1/batch"},
    "an endpoint of another scheme": {ENDPOINT: "ftp://proxy.test/v1/batch"},
    "an endpoint with a port of 0": {ENDPOINT: "https://proxy.test:0/v1/batch"},
    "an endpoint with too large a port": {ENDPOINT: "https://proxy.test:65536/v1/batch"},
    "an endpoint with a port that is none": {ENDPOINT: "https://proxy.test:https/v1/batch"},
    "an endpoint without a host": {ENDPOINT: "https:///v1/batch"},
    "an endpoint of an empty label": {ENDPOINT: "https://proxy..test/v1/batch"},
    "an endpoint of a long label": {ENDPOINT: f"https://{'a' * 64}.test/v1/batch"},
    "an endpoint of a host with a hyphen first": {ENDPOINT: "https://-proxy.test/v1/batch"},
    "an endpoint of a long host": {ENDPOINT: f"https://{LONG_HOST}/v1/batch"},
    "an endpoint of half an IPv6 address": {ENDPOINT: "https://[::1/v1/batch"},
    "an endpoint of no IPv6 address": {ENDPOINT: "https://[1:2]/v1/batch"},
    "a password in the registry's address": {REGISTRY: f"http://user:{PASSWORD}@registry.test"},
    "a registry's address with a query": {REGISTRY: f"http://registry.test/?token={PASSWORD}"},
    "a registry's address without a host": {REGISTRY: "http:///apis"},
    "a registry's address with too large a port": {REGISTRY: "http://registry.test:99999"},
    "a registry of a long host": {REGISTRY: f"http://{LONG_HOST}:8081"},
    "a password in a broker's address": {SERVERS: ["kafka:9092", f"user:{PASSWORD}@kafka:9092"]},
    "a broker with a scheme": {SERVERS: ["PLAINTEXT://kafka:9092"]},
    "a broker without a port": {SERVERS: ["kafka"]},
    "a broker with a port of 0": {SERVERS: ["kafka:0"]},
    "a broker with too large a port": {SERVERS: ["kafka:65536"]},
    "a broker of a long host": {SERVERS: [f"{LONG_HOST}:9092"]},
    "brokers in one text with a gap": {SERVERS: ["kafka-1:9092,,kafka-2:9092"]},
    # names and rules
    "a name for an unknown kind": names(**{"message.push.snet": "Sent"}),
    "a kind that is named twice": names(**{"message.email.suppressed": "A", "message.email.supressed": "B"}),
    "a blank name": names(**{"message.push.sent": " "}),
    "a long name": names(**{"message.push.sent": "x" * 201}),
    "rules of an unknown kind": {TEXT: "rules: [{when: {kind: message.push.snet}, then: drop}]"},
    "rules of a list with an unknown kind": {TEXT: "rules: [{when: {kind: [message.push.sent, push]}, then: drop}]"},
    "rules of an unknown condition": {TEXT: "rules: [{when: {chanel: push}, then: drop}]"},
    "rules of an unknown decision": {TEXT: "rules: [{then: kep}]"},
    "rules of an unknown key": {TEXT: "rules: [{then: keep, wen: {}}]"},
    "rules of an unknown channel": {TEXT: "rules: [{when: {channel: [push, pusch]}, then: drop}]"},
    "rules of an unknown action": {TEXT: "rules: [{when: {action: open}, then: drop}]"},
    "rules of an unknown category": {TEXT: "rules: [{when: {category: all}, then: drop}]"},
    "rules of half a truth": {TEXT: "rules: [{when: {anonymous: maybe}, then: drop}]"},
    "rules of a number as a kind": {TEXT: "rules: [{when: {kind: 5}, then: drop}]"},
    "rules of no kind": {TEXT: "rules: [{when: {kind: }, then: drop}]"},
    "rules of an empty list": {TEXT: "rules: [{when: {kind: []}, then: drop}]"},
    "rules of a list in a list": {TEXT: "rules: [{when: {kind: [[message.push.sent]]}, then: drop}]"},
    "rules of no tags": {TEXT: "rules: [{when: {tag: {}}, then: drop}]"},
    "rules of a tag of tags": {TEXT: "rules: [{when: {tag: {a: {b: c}}}, then: drop}]"},
    "rules of conditions in a list": {TEXT: "rules: [{when: [channel], then: drop}]"},
    "rules of words": {TEXT: "rules: [keep]"},
    "rules without a decision": {TEXT: "rules: [{when: {channel: push}}]"},
    "rules of an empty decision": {TEXT: "rules: [{then: }]"},
    "rules of two decisions": {TEXT: "rules: [{then: [keep, drop]}]"},
    "rules of a sample beyond all": {TEXT: "rules: [{then: {sample: {percent: 100.1}}}]"},
    "rules of a sample below none": {TEXT: "rules: [{then: {sample: {percent: -1}}}]"},
    "rules of a sample of something": {TEXT: "rules: [{then: {sample: {percent: 5, by: device}}}]"},
    "rules of a sample without a share": {TEXT: "rules: [{then: {sample: {by: user}}}]"},
    "rules of a long name": {TEXT: f"rules: [{{name: {'x' * 501}, then: keep}}]"},
    "rules of a blank name": {TEXT: "rules: [{name: ' ', then: keep}]"},
    "rules in a mapping": {TEXT: "rules: {a: {then: keep}}"},
    "rules of a number as a text": {TEXT: "rules: [{when: {language: [de, 1.5]}, then: keep}]"},
    "rules of nothing": {TEXT: "rules:\n"},
    "an unknown default": {TEXT: "rules: []\ndefault: kep\n"},
    "a rules file of an unknown key": {TEXT: "rules: []\ndefalt: keep\n"},
    "a rules file that is too large": {TEXT: rules_of(MAX_FILE_CHARACTERS + 1)},
    "a rules file beyond what Kubernetes takes": {TEXT: rules_of(1_100_000)},
    "a rules file of too many letters of other alphabets": {TEXT: LAST_KIND + "# " + "ж" * MAX_FILE_CHARACTERS},
    "too many rules": {TEXT: many_rules(1_001)},
    "a document of unknown kinds": {"rules.document": {"rules": [{"when": {"kind": "push"}, "then": "drop"}]}},
    "a document that is too large": {
        "rules.document": {"rules": [{"name": f"{number} {'x' * 480}", "then": "keep"} for number in range(600)]}
    },
    # variables
    "a misspelt variable": extra("PIPELINE_SEGMENT_LANE", "4"),
    "a variable of no meaning": extra("PIPELINE_DEBUG", "true"),
    "a variable beyond its bound": extra("PIPELINE_SEGMENT_LANES", "65"),
    "a misspelt variable from a Secret": referred("PIPELINE_TRACKED_USERS_SECRETS"),
    "a file of what is no secret": secret("PIPELINE_SEGMENT_LANES"),
    "a file of no setting": secret("PIPELINE_SECRET"),
    # settings
    "a topic that Kafka refuses": {"topics.raw": ".."},
    "a setting's topic that Kafka refuses": {f"{PROCESSOR}.PIPELINE_MESSAGE_CATALOGUE_TOPIC": "a topic"},
    "hours of 0": {f"{PROCESSOR}.PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS": 0},
    "hours beyond any number": {"topics.retentionHours.raw": 10**19},
    "words with a gap": {f"{PROCESSOR}.PIPELINE_NOBODY_IDS": "guest,,email"},
    "a word of quotes": {f"{PROCESSOR}.PIPELINE_NOBODY_IDS": "guest,''"},
    "more requests than a worker may send": {"segment.maxRequestsPerSecond": 10_000_000},
    "a first delay beyond the last": {
        f"{SINK}.PIPELINE_SEGMENT_RETRY_BASE_SECONDS": 30,
        f"{SINK}.PIPELINE_SEGMENT_RETRY_MAX_SECONDS": 29.5,
    },
    "a first delay beyond the usual last": {f"{SINK}.PIPELINE_SEGMENT_RETRY_MAX_SECONDS": 0.49},
    "a flush that looks like a stall": {f"{SINK}.PIPELINE_SEGMENT_FLUSH_INTERVAL_SECONDS": 60}
    | {
        f"{SINK}.PIPELINE_STALL_TIMEOUT_SECONDS": 59,
    },
    "a request that looks like a stall": {f"{SINK}.PIPELINE_STALL_TIMEOUT_SECONDS": 14},
    "a usual flush that looks like a stall": {
        f"{SINK}.PIPELINE_STALL_TIMEOUT_SECONDS": 1,
        f"{SINK}.PIPELINE_SEGMENT_REQUEST_TIMEOUT_SECONDS": 1,
        f"{SINK}.PIPELINE_SEGMENT_FLUSH_INTERVAL_SECONDS": 1.5,
    },
    "a revocation beyond its rebalance": {f"{PROCESSOR}.PIPELINE_REVOKE_TIMEOUT_SECONDS": 30},
    "a rebalance that is too short": {f"{PROCESSOR}.PIPELINE_REBALANCE_TIMEOUT_SECONDS": 5.5},
    "a feed without a secret": {f"{PROCESSOR}.PIPELINE_TRACKED_USERS_FEED_TOPIC": "feed"},
    "tracked users in the raw topic": {**TRACKED, "topics.raw": "onesignal.tracked-users"},
    "a feed that is the raw topic": {**TRACKED, f"{PROCESSOR}.PIPELINE_TRACKED_USERS_FEED_TOPIC": "onesignal.events"},
    "a catalogue in the records topic": {
        "componentDefaults.resources.limits.memory": "1G",
        PROCESSOR: {"PIPELINE_MESSAGE_CATALOGUE": True, "PIPELINE_MESSAGE_CATALOGUE_TOPIC": "onesignal.events"},
    },
    "users who are forgotten too early": {**TRACKED, f"{PROCESSOR}.PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS": 911},
    "users who are forgotten while events stay": {
        **TRACKED,
        f"{PROCESSOR}.PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS": 100_000,
        "topics.retentionHours.raw": -1,
    },
    "too many words": {f"{PROCESSOR}.PIPELINE_NOBODY_IDS": "x" * 10_001},
    "words with a line break": {f"{PROCESSOR}.PIPELINE_NOBODY_IDS": "guest\nroot"},
    "words from right to left": {f"{PROCESSOR}.PIPELINE_NOBODY_IDS": "guest,\u202etoor"},
    "a host of an empty label": {f"{SINK}.PIPELINE_HTTP_HOST": "a..b"},
    "a host of other letters": {f"{SINK}.PIPELINE_HTTP_HOST": "ü.test"},
    "a host in brackets": {f"{PROCESSOR}.PIPELINE_HTTP_HOST": "[::1]"},
    "a long host": {f"{PROCESSOR}.PIPELINE_HTTP_HOST": LONG_HOST},
    "a group from right to left": {"components.processor.consumerGroup": "a\u202eb"},
    "a group with a space that is none": {"components.processor.consumerGroup": "a\u00a0b"},
    "a group of a key": {"components.segmentSink.consumerGroup": "-----BEGIN PRIVATE KEY-----"},
    "a group with a line break": {"components.processor.consumerGroup": "a\nb"},
    "a group with an escape": {"components.segmentSink.consumerGroup": "a\x1bb"},
    "the sink's usual group": {
        "components.processor.consumerGroup": "onesignal-pipeline-segment-sink",
        "components.segmentSink.consumerGroup": "other",
    },
    "the processor's usual group": {
        "components.segmentSink.consumerGroup": "onesignal-pipeline-processor",
        "components.processor.consumerGroup": "other",
    },
    "the usual group of a sink that is off": {
        "components.processor.consumerGroup": "onesignal-pipeline-segment-sink",
        "components.segmentSink": {"enabled": False, "consumerGroup": "other"},
    },
    "Mixpanel's usual group": {
        "components.processor.consumerGroup": "onesignal-pipeline-mixpanel-sink",
        "components.mixpanelSink.consumerGroup": "other",
    },
    "a password in Mixpanel's endpoint": {
        **MIXPANEL,
        "mixpanel.endpoint": f"https://user:{PASSWORD}@proxy.test/import",
    },
    "an endpoint of Mixpanel without a path": {**MIXPANEL, "mixpanel.endpoint": "https://proxy.test"},
    "Mixpanel's records in the usual topic of Segment's": {
        **MIXPANEL,
        "topics.mixpanelRecords": "segment.records",
        "topics.records": "other",
    },
    "Segment's records in the usual topic of Mixpanel's": {
        "topics.records": "mixpanel.records",
        "topics.mixpanelRecords": "other",
    },
    "rules of Mixpanel of an unknown condition": {
        **MIXPANEL,
        "mixpanel.rules.text": "rules: [{when: {mtu: all}, then: drop}]",
    },
    "a name of Mixpanel's own": {**MIXPANEL, "mixpanel.names": {"message.push.sent": "$identify"}},
    "a first delay of Mixpanel beyond the last": {
        **MIXPANEL,
        f"{MIXPANEL_SINK}.PIPELINE_MIXPANEL_RETRY_MAX_SECONDS": 1.5,
    },
    "a request to Mixpanel that looks like a stall": {
        **MIXPANEL,
        f"{MIXPANEL_SINK}.PIPELINE_STALL_TIMEOUT_SECONDS": 29,
    },
    "one topic for the users of both destinations": {
        **TRACKED,
        f"{PROCESSOR}.PIPELINE_TRACKED_USERS_TOPIC": "mixpanel.tracked-users",
    },
    "a service account of Mixpanel with a colon": {
        **MIXPANEL,
        "mixpanel.projectToken.existingSecret": "",
        "mixpanel.serviceAccount": {"username": "a:b", "projectId": "1", "existingSecret": "mixpanel"},
    },
    "a number of Mixpanel's project that is too long": {
        **MIXPANEL,
        "mixpanel.projectToken.existingSecret": "",
        "mixpanel.serviceAccount": {"username": "a", "projectId": "1" * 21, "existingSecret": "mixpanel"},
    },
    "a blank user name of the registry": {
        REGISTRY: "http://registry.test",
        "schemaRegistry.username": " ",
        "schemaRegistry.existingSecret": "schema-registry",
    },
    "a blank user name of Kafka": kafka_user(" "),
    "a long user name of Kafka": kafka_user("x" * 1_001),
    "a user name of Kafka with an escape": kafka_user("a\x1bb"),
    "a user name of Kafka with an escape of one byte": kafka_user("a\x9bb"),
    "a user name of the registry from right to left": {
        REGISTRY: "http://registry.test",
        "schemaRegistry.username": "a\u202eb",
        "schemaRegistry.existingSecret": "schema-registry",
    },
}
TAKEN: Final[Mapping[str, dict[str, Any]]] = {
    "both destinations": MIXPANEL,
    "an endpoint of Mixpanel": {**MIXPANEL, "mixpanel.endpoint": "https://proxy.test:8443/import"},
    "a service account of Mixpanel": {
        **MIXPANEL,
        "mixpanel.projectToken.existingSecret": "",
        "mixpanel.serviceAccount": {
            "username": "a.b.mp-service-account",
            "projectId": "1",
            "existingSecret": "mixpanel",
        },
    },
    "a request to Mixpanel as long as may be": {**MIXPANEL, f"{MIXPANEL_SINK}.PIPELINE_STALL_TIMEOUT_SECONDS": 30},
    "rules of exempt events": {**MIXPANEL, "mixpanel.rules.text": "rules: [{when: {mtu: exempt}, then: keep}]"},
    "names of Mixpanel": {**MIXPANEL, "mixpanel.names": {"message.push.sent": "Pushed"}},
    "an endpoint of an IPv6 address": {ENDPOINT: "https://[2001:db8::1]:8443/v1/batch"},
    "an endpoint of an IPv4 address": {ENDPOINT: "http://10.0.0.1:80/v1"},
    "an endpoint of a deep path": {ENDPOINT: "HTTPS://proxy.test./a//b/c@d/"},
    "an endpoint of the last port": {ENDPOINT: "https://proxy_1.test:65535/v1/batch"},
    "a registry of a host alone": {REGISTRY: "http://registry"},
    "a registry of a path": {REGISTRY: "https://registry.test:8081/apis/ccompat/v7"},
    "brokers": {SERVERS: ["kafka-1.test:9092", "10.0.0.1:1", "[::1]:65535"]},
    "names in any spelling": names(**{"message.email.supressed": "A", "message.push.sent": "Sent: #1 'x'"}),
    "the largest rules file": {TEXT: rules_of(MAX_FILE_CHARACTERS)},
    "a rules file of many letters of other alphabets": {TEXT: LAST_KIND + "# " + "ж" * 262_000},
    "the most rules": {TEXT: many_rules(1_000)},
    "rules of every kind": {TEXT: "rules: [{when: {kind: [message.push.sent, message.iam.clicked]}, then: drop}]"},
    "rules with a sample": {TEXT: "rules: [{then: {sample: {percent: 5}}}]\ndefault: drop\n"},
    "rules whose texts are no texts to YAML": {
        TEXT: "rules: [{name: on, when: {language: [no, de], app_id: yes, tag: {a: [no, 1, 1.50, true]}}, then: keep}]"
    },
    "rules with a sample of users": {TEXT: "rules: [{then: {sample: {percent: 0.5, by: user}}}]\ndefault: keep\n"},
    "rules whose words are words": {TEXT: "rules: [{name: no, when: {tag: {a: no}}, then: keep, shadow: true}]"},
    "a secret from a Secret": {**TRACKED_BY_REFERENCE, "componentDefaults.resources.limits.memory": "1G"},
    "a setting from a Secret": referred("PIPELINE_NOBODY_IDS"),
    "words of other letters": {f"{PROCESSOR}.PIPELINE_NOBODY_IDS": "guest, гость,-,n/a"},
    "hosts of addresses": {f"{SINK}.PIPELINE_HTTP_HOST": "::", f"{PROCESSOR}.PIPELINE_HTTP_HOST": "127.0.0.1"},
    "a host of a name": {f"{SINK}.PIPELINE_HTTP_HOST": "worker-1.test."},
    "an endpoint of the longest host": {ENDPOINT: f"https://{LONG_HOST[:-1]}/v1/batch"},
    "a user name of other letters": kafka_user("Jürgen №1 €"),
    "the most requests": {"segment.maxRequestsPerSecond": 100_000},
    "a first delay that is the last": {f"{SINK}.PIPELINE_SEGMENT_RETRY_MAX_SECONDS": 0.5},
    "a stall as short as may be": {f"{SINK}.PIPELINE_STALL_TIMEOUT_SECONDS": 15},
    "a revocation as long as may be": {f"{PROCESSOR}.PIPELINE_REVOKE_TIMEOUT_SECONDS": 29},
    "users who are remembered just long enough": {
        **TRACKED,
        f"{PROCESSOR}.PIPELINE_TRACKED_USERS_TOPIC_RETENTION_HOURS": 912,
    },
    "users who are remembered for ever": {**TRACKED, "topics.retentionHours.raw": -1},
    "groups of other names": {
        "components.processor.consumerGroup": "группа 1",
        "components.segmentSink.consumerGroup": "b",
    },
}


@pytest.fixture(scope="module")
def unguarded(chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    """The chart without its checks, which renders what it would refuse."""
    folder = tmp_path_factory.mktemp("unguarded") / "chart"
    shutil.copytree(chart.folder, folder)
    (folder / "values.schema.json").unlink()
    checks = folder / "templates" / "_checks.tpl"
    refuse = r'(\{\{- define "onesignal-pipeline\.refuse" -\}\}).*?(\n\{\{- end \}\}\n\n)'
    text, count = re.subn(refuse, r"\1\2", checks.read_text(encoding="utf-8"), count=1, flags=re.DOTALL)
    assert count == 1
    checks.write_text(text, encoding="utf-8")
    return Chart(helm=chart.helm, folder=folder)


def objections(unguarded: Chart, values: Path, root: Path) -> Iterator[str]:
    """What the program says in each pod that would be made of these values."""
    manifests = unguarded.render(LEAST, values)
    for component in manifests.pods():
        try:
            settings_of(component, manifests, root / component)
        except SettingsError as error:
            yield str(error)


def nested(values: Mapping[str, Any], file: Path) -> Path:
    """Write values, whose names are paths, as a values file: a command line would be too short for some."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *folders, name = path.split(".") if not path.startswith("names") else [path]
        target = tree
        for folder in folders:
            target = target.setdefault(folder, {})
        target[name] = value
    file.write_text(json.dumps(tree), encoding="utf-8")
    return file


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_what_the_program_refuses_the_chart_refuses_and_shows_no_secret(
    chart: Chart, unguarded: Chart, tmp_path: Path, values: dict[str, Any]
) -> None:
    file = nested(values, tmp_path / "values.yaml")
    assert list(objections(unguarded, file, tmp_path)) != []
    with pytest.raises(RefusedError) as refused:
        chart.render(LEAST, file)
    assert "these values cannot work:" in str(refused.value) or "specifications of the schema" in str(refused.value)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("values", TAKEN.values(), ids=TAKEN)
def test_what_the_chart_takes_the_program_takes(
    chart: Chart, unguarded: Chart, tmp_path: Path, values: dict[str, Any]
) -> None:
    file = nested(values, tmp_path / "values.yaml")
    assert list(objections(unguarded, file, tmp_path)) == []
    chart.render(LEAST, file)


@pytest.mark.parametrize("field", secrets())
@pytest.mark.parametrize("name", [variable, secret_file_variable])
def test_no_secret_is_taken_as_a_plain_value(chart: Chart, tmp_path: Path, field: str, name: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        chart.render(LEAST, nested(extra(name(field), PASSWORD), tmp_path / "values.yaml"))
    assert "missing property 'valueFrom'" in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_secret_is_not_taken_beside_a_reference_to_it(chart: Chart, tmp_path: Path) -> None:
    values = referred("PIPELINE_TRACKED_USERS_SECRET")
    values["componentDefaults.extraEnv"][0]["value"] = PASSWORD
    with pytest.raises(RefusedError) as refused:
        chart.render(LEAST, nested(values, tmp_path / "values.yaml"))
    assert PASSWORD not in str(refused.value)


PARTS: Final = some.tuples(
    some.sampled_from(["https://", "http://", "HTTP://", "//", "", "https:/", "ftp://"]),
    some.sampled_from(["", "", "", "user@", "user:word@", "@", ":@"]),
    some.sampled_from(
        ["a.test", "a", "a.", "a..b", "", "-a", "a-", "[::1]", "[::1", "[1::2::3]", "10.0.0.1", "a b", "ä"]
    ),
    some.sampled_from(["", "", ":1", ":443", ":0", ":65535", ":65536", ":99999", ":", ":x"]),
    some.sampled_from(
        [
            "/v1",
            "/v1/batch",
            "/import",
            "/v1/import",
            "/import/..",
            "",
            "/",
            "//",
            "/.",
            "/..",
            "/a/..",
            "/a/./..",
            "/...",
            "/v1 b",
            "/@",
            "/%2e",
        ]
    ),
    some.sampled_from(["", "", "", "?", "?a", "#", "#b"]),
).map("".join)


@pytest.mark.parametrize(
    ("name", "field"),
    [(ENDPOINT, "segment_endpoint"), (REGISTRY, "schema_registry_url"), ("mixpanel.endpoint", "mixpanel_endpoint")],
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(address=PARTS)
def test_an_address_that_the_chart_takes_is_one_to_the_program(
    chart: Chart, tmp_path: Path, name: str, field: str, address: str
) -> None:
    try:
        chart.render(LEAST, nested({name: address}, tmp_path / "values.yaml"))
    except RefusedError:
        return
    load_settings({variable(field): address})
