"""The chart and the program agree: on settings, their defaults, rules, files, folders and memory."""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import pytest
import trustme
import yaml

from pipeline.bootstrap import checks_of, requirements_of, tls_mistakes
from pipeline.core.presets import Preset
from pipeline.core.rules_file import parse_rules
from pipeline.core.yaml_document import read_document
from pipeline.settings.choices import Requirement, Role
from pipeline.settings.loading import load_settings
from pipeline.settings.mistakes import PREFIX, variable
from pipeline.settings.sections import FIELDS, Settings
from tests.deploy.mounts import ContainerView
from tests.deploy.rendering import EVERYTHING, EXAMPLES, LEAST, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.deploy.mounts import Contents
    from tests.deploy.rendering import Chart, Manifests

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = {
    "processor": Role.PROCESSOR,
    "segment-sink": Role.SEGMENT_SINK,
    "mixpanel-processor": Role.MIXPANEL_PROCESSOR,
    "mixpanel-sink": Role.MIXPANEL_SINK,
}
BOTH: Final[Mapping[str, object]] = {
    "mixpanel.enabled": True,
    "components.mixpanelSink.resources.limits.memory": "512Mi",
    "mixpanel.projectToken.existingSecret": "mixpanel",
}
KEY: Final = "a1B2" * 8
TRACKING: Final = {"trackedUsers.existingSecret": "tracked-users", "componentDefaults.resources.limits.memory": "1G"}
RULES: Final = sorted((ROOT / "schemas" / "rules" / "valid").glob("*.yaml"))
RENDERED: Final = pytest.mark.parametrize("values", [LEAST, EVERYTHING, *EXAMPLES], ids=lambda path: path.stem)


@cache
def certificates() -> tuple[str, str, str]:
    """An authority, a certificate that it issued, and its private key, as PEM."""
    authority = trustme.CA()
    issued = authority.issue_cert("pipeline.test")
    blobs = (authority.cert_pem, issued.cert_chain_pems[0], issued.private_key_pem)
    first, second, third = (blob.bytes().decode() for blob in blobs)
    return first, second, third


def stored(manifests: Manifests) -> Contents:
    """The Secrets and ConfigMaps that examples ask for, and the ConfigMaps of the chart."""
    authority, certificate, private_key = certificates()
    schema = (ROOT / "schemas" / "avro" / "raw-event" / "1.avsc").read_text(encoding="utf-8")
    contents: Contents = {
        ("secret", "segment"): {"write-key": f"{KEY}\n"},
        ("secret", "mixpanel"): {"project-token": f"{KEY}\n", "service-account-secret": f"{KEY}\n"},
        ("secret", "kafka"): {"username": "pipeline", "password": "secret"},
        ("secret", "kafka-ca"): {"ca.crt": authority},
        ("configMap", "kafka-ca"): {"ca.crt": authority},
        ("secret", "kafka-client"): {"tls.crt": certificate, "tls.key": private_key, "password": "unused"},
        ("secret", "schema-registry"): {"password": "secret"},
        ("secret", "registry-password"): {"password": "secret"},
        ("secret", "registry-ca"): {"ca.crt": authority},
        ("secret", "tracked-users"): {"hash-key": "0123456789abcdef\n"},
        ("configMap", "raw-schema"): {"raw-event.avsc": schema},
    }
    for each in manifests.of_kind("ConfigMap"):
        contents["configMap", each["metadata"]["name"]] = each["data"]
    return contents


def settings_of(component: str, manifests: Manifests, root: Path) -> Settings:
    """Load the settings as the component's container would, files included."""
    view = ContainerView(pod=manifests.pods()[component], contents=stored(manifests), root=root)
    roles = [WORKERS[component]] if component in WORKERS else []
    required = requirements_of(roles) if roles else {Requirement.KAFKA}
    return load_settings(view.environment(), requirements=required, checks=(tls_mistakes, *checks_of(roles)))


@RENDERED
@pytest.mark.parametrize("destinations", [{}, BOTH], ids=["as given", "both destinations"])
def test_every_container_accepts_its_environment(
    chart: Chart, tmp_path: Path, values: Path, destinations: Mapping[str, object]
) -> None:
    if values == EVERYTHING:
        destinations = {}  # which has both, and a service account
    manifests = chart.render(values, values=destinations)
    found = [name for name in WORKERS if name in manifests.pods()]
    has_both = bool(destinations) or values.stem in {"everything", "two-destinations"}
    assert found == list(WORKERS)[: 4 if has_both else 2]
    for component in (*found, "topics"):
        assert settings_of(component, manifests, tmp_path / component).kafka_bootstrap_servers


@RENDERED
def test_every_variable_that_is_set_is_a_setting(chart: Chart, values: Path) -> None:
    known = {variable(field) for field in FIELDS} | {f"{variable(field)}_FILE" for field in FIELDS}
    pods = chart.render(values).pods().values()
    given = {each["name"] for pod in pods for container in pod["containers"] for each in container["env"]}
    assert {name for name in given if name.startswith(PREFIX)} <= known


def test_everything_reaches_the_program_as_it_was_given(chart: Chart, tmp_path: Path) -> None:
    given = yaml.safe_load(EVERYTHING.read_text(encoding="utf-8"))
    manifests = chart.render(EVERYTHING)
    for block, component in (
        ("processor", "processor"),
        ("segmentSink", "segment-sink"),
        ("mixpanelProcessor", "mixpanel-processor"),
        ("mixpanelSink", "mixpanel-sink"),
    ):
        settings = settings_of(component, manifests, tmp_path / component)
        for name, value in given["components"][block]["settings"].items():
            assert settings.value(name.removeprefix(PREFIX).lower()) == value, name
        assert settings.shutdown_timeout_seconds == 12.5
        assert settings.http_port == 9090
    topics = settings_of("topics", manifests, tmp_path / "topics")
    assert (topics.topic_partitions, topics.dead_letter_topic_partitions, topics.topic_replication_factor) == (16, 2, 2)
    assert topics.segment.records_topic_retention_hours == -1
    assert topics.mixpanel.records_topic_retention_hours == 336
    assert topics.mixpanel.records_topic == "mixpanel"


@pytest.mark.parametrize("component", [*WORKERS, "topics"])
def test_the_defaults_are_those_of_the_program(chart: Chart, tmp_path: Path, component: str) -> None:
    decided = {"kafka_bootstrap_servers", "data_directory", "segment_write_key", "segment_max_requests_per_second"}
    decided |= {"mixpanel_project_token", "mixpanel_max_records_per_second"}
    settings = settings_of(component, chart.render(LEAST, values=BOTH), tmp_path)
    differing = [field for field in FIELDS if settings.value(field) != Settings().value(field)]
    assert set(differing) <= decided


def test_every_setting_that_the_values_decide_can_be_reached(chart: Chart) -> None:
    schema = yaml.safe_load((chart.folder / "values.schema.json").read_text(encoding="utf-8"))
    free = set(schema["definitions"]["settings"]["properties"])
    pods = chart.render(EVERYTHING).pods().values()
    rendered = {each["name"] for pod in pods for container in pod["containers"] for each in container["env"]}
    elsewhere = {  # excluded by what is given in their place
        "PIPELINE_RULES_PRESET",
        "PIPELINE_SEGMENT_REGION",
        "PIPELINE_MIXPANEL_RULES_PRESET",
        "PIPELINE_MIXPANEL_REGION",
        "PIPELINE_MIXPANEL_PROJECT_TOKEN",
    }
    wanted = {variable(field) for field in FIELDS}
    assert wanted - free - elsewhere - {name.removesuffix("_FILE") for name in rendered} - rendered == set()


@RENDERED
def test_only_the_folder_that_the_program_writes_to_can_be_written(chart: Chart, tmp_path: Path, values: Path) -> None:
    for component, pod in chart.render(values).pods().items():
        view = ContainerView(pod=pod, contents=stored(chart.render(values)), root=tmp_path / component)
        environment = view.environment()
        assert [str(view.root / path.lstrip("/")) for path in view.writable] == [environment["PIPELINE_DATA_DIRECTORY"]]
        # Python looks for a folder for temporary files as well, and there is no other.
        assert environment["TMPDIR"] == environment["PIPELINE_DATA_DIRECTORY"]


@RENDERED
def test_probes_and_program_mean_the_same_port(chart: Chart, tmp_path: Path, values: Path) -> None:
    manifests = chart.render(values)
    for component in manifests.pods().keys() & WORKERS.keys():
        (container,) = manifests.pods()[component]["containers"]
        assert [port["name"] for port in container["ports"]] == ["http"]
        settings = settings_of(component, manifests, tmp_path / component)
        assert container["ports"][0]["containerPort"] == settings.http_port
        assert {container[probe]["httpGet"]["port"] for probe in container if probe.endswith("Probe")} == {"http"}


def most_workers(manifests: Manifests, component: str) -> int:
    name = manifests.component("Deployment", component)["metadata"]["name"]
    scalers = [*manifests.of_kind("HorizontalPodAutoscaler"), *manifests.of_kind("ScaledObject")]
    specs = [each["spec"] for each in scalers if each["metadata"]["name"] == name]
    most = [spec["maxReplicaCount" if "maxReplicaCount" in spec else "maxReplicas"] for spec in specs]
    workers: int = most[0] if most else manifests.component("Deployment", component)["spec"]["replicas"]
    return workers


@RENDERED
@pytest.mark.parametrize("component", ["segment-sink", "mixpanel-sink"])
def test_the_sinks_together_keep_to_the_limit_of_their_destination(
    chart: Chart, tmp_path: Path, values: Path, component: str
) -> None:
    manifests = chart.render(values, values=BOTH if values != EVERYTHING else {})
    settings = settings_of(component, manifests, tmp_path)
    workers = most_workers(manifests, component)
    if component == "segment-sink":
        whole, given = (100 if values == EVERYTHING else 1000), settings.segment.max_requests_per_second
    else:
        whole, given = (20_000 if values == EVERYTHING else 30_000), settings.mixpanel.max_records_per_second
    assert 0 < given * workers <= whole
    assert given * workers > whole - 0.1


@pytest.mark.parametrize(("component", "told"), [("segmentSink", 233), ("processor", 263)])
@pytest.mark.parametrize(("message", "counts_by"), [(870, "messages"), (8_000, "bytes")])
def test_the_smallest_memory_limit_is_what_the_readme_states(
    chart: Chart, component: str, told: int, message: int, counts_by: str
) -> None:
    partitions, settings = 16, Settings()
    count = settings.max_messages_in_hand + settings.max_poll_records
    in_hand = {
        "messages": count * (message + 500),
        "bytes": settings.max_bytes_in_hand + settings.fetch_max_bytes + count * 500,
    }
    records = settings.max_poll_records * (message + 1_000) if component == "processor" else 0
    bound = (
        100_000_000
        + settings.max_unpacked_batch_bytes
        + partitions * (2 * settings.fetch_max_bytes + in_hand[counts_by] + records)
    )
    given: dict[str, object] = {"topics.partitions": partitions, "topics.messageBytes": message}
    given["componentDefaults.resources.requests.memory"] = "160Mi"
    given["componentDefaults.resources.limits.memory"] = "600Mi"
    limit = f"components.{component}.resources.limits.memory"
    chart.render(LEAST, values={**given, limit: bound})
    with pytest.raises(RefusedError, match=f"may use {told} MB" if counts_by == "messages" else "may use"):
        chart.render(LEAST, values={**given, limit: bound - 1})


@pytest.mark.parametrize("registry", ["", "https://registry.example"])
@pytest.mark.parametrize("settings", [{}, {"MAX_BATCH_RECORDS": 100, "MAX_BATCH_BYTES": 200_000, "LANES": 7}])
@pytest.mark.parametrize("message", [870, 8_000])
def test_a_mixpanel_sink_needs_memory_for_two_whole_requests(
    chart: Chart, settings: Mapping[str, int], message: int, registry: str
) -> None:
    partitions, given = 16, Settings()
    records = settings.get("MAX_BATCH_RECORDS", given.mixpanel.max_batch_records)
    size = settings.get("MAX_BATCH_BYTES", given.mixpanel.max_batch_bytes)
    lanes = settings.get("LANES", given.mixpanel.lanes)
    count = max(given.max_messages_in_hand, 2 * records) + given.max_poll_records
    size_in_hand = max(given.max_bytes_in_hand, 2 * size + given.fetch_max_bytes)
    in_hand = min(count * (message + 500), size_in_hand + given.fetch_max_bytes + count * 500)
    batch = min(given.max_poll_records * message, given.fetch_max_bytes)
    bound = (
        100_000_000
        + given.max_unpacked_batch_bytes
        + partitions * (2 * given.fetch_max_bytes + in_hand)
        + lanes * 2 * size
        + (lanes * (2 * given.mixpanel.max_batch_bytes + 3 * batch) if registry else 0)
    )
    values: dict[str, object] = {**BOTH, "topics.partitions": partitions, "topics.messageBytes": message}
    values["schemaRegistry.url"] = registry
    values["componentDefaults.resources.requests.memory"] = "160Mi"
    values["componentDefaults.resources.limits.memory"] = "1Gi"
    for name, value in settings.items():
        values[f"components.mixpanelSink.settings.PIPELINE_MIXPANEL_{name}"] = value
    limit = "components.mixpanelSink.resources.limits.memory"
    chart.render(LEAST, values={**values, limit: bound})
    with pytest.raises(RefusedError, match="may use"):
        chart.render(LEAST, values={**values, limit: bound - 1})


@pytest.mark.parametrize("message", [690, 8_000])
def test_a_sink_with_a_registry_needs_memory_for_what_its_lanes_decode(chart: Chart, message: int) -> None:
    partitions, settings = 16, Settings()
    count = settings.max_messages_in_hand + settings.max_poll_records
    in_hand = min(count * (message + 500), settings.max_bytes_in_hand + settings.fetch_max_bytes + count * 500)
    batch = min(settings.max_poll_records * message, settings.fetch_max_bytes)
    decoded = settings.segment.lanes * (1_000_000 + 3 * batch)
    bound = (
        100_000_000
        + settings.max_unpacked_batch_bytes
        + partitions * (2 * settings.fetch_max_bytes + in_hand)
        + decoded
    )
    given: dict[str, object] = {"topics.partitions": partitions, "topics.messageBytes": message}
    given["schemaRegistry.url"] = "https://registry.example"
    given["componentDefaults.resources.requests.memory"] = "160Mi"
    given["componentDefaults.resources.limits.memory"] = "600Mi"
    limit = "components.segmentSink.resources.limits.memory"
    chart.render(LEAST, values={**given, limit: bound})
    with pytest.raises(RefusedError, match="may use"):
        chart.render(LEAST, values={**given, limit: bound - 1})
    chart.render(LEAST, values={**given, limit: bound - decoded, "schemaRegistry.url": ""})


@pytest.mark.parametrize("way", ["text", "document"])
@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
@pytest.mark.parametrize("component", ["processor", "mixpanel-processor"])
def test_rules_arrive_as_they_were_written(chart: Chart, tmp_path: Path, rules: Path, way: str, component: str) -> None:
    written = rules.read_text(encoding="utf-8").replace("1.50", "'1.50'").replace("vip: true", "vip: 'true'")
    written = written.replace("on: off", "'on': 'off'")
    given = written if way == "text" else read_document(written, filename="written").value
    path = "rules" if component == "processor" else "mixpanel.rules"
    manifests = chart.render(LEAST, values={**BOTH, **TRACKING, f"{path}.{way}": given})
    settings = settings_of(component, manifests, tmp_path)
    sections = {"processor": settings.segment.rules_file, "mixpanel-processor": settings.mixpanel.rules_file}
    file = sections.pop(component)
    assert file is not None
    assert [*sections.values()] == [None]
    arrived = parse_rules(file.read_text(encoding="utf-8"), filename="arrived")
    assert arrived.version == parse_rules(rules.read_text(encoding="utf-8"), filename="original").version


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_can_be_chosen_for_each_destination(chart: Chart, tmp_path: Path, preset: Preset) -> None:
    manifests = chart.render(LEAST, values={**BOTH, **TRACKING, "rules.preset": preset})
    assert settings_of("processor", manifests, tmp_path / "one").segment.rules_preset is preset
    assert settings_of("mixpanel-processor", manifests, tmp_path / "two").mixpanel.rules_preset is None
    manifests = chart.render(LEAST, values={**BOTH, **TRACKING, "mixpanel.rules.preset": preset})
    assert settings_of("mixpanel-processor", manifests, tmp_path / "three").mixpanel.rules_preset is preset


def pods_after(chart: Chart, values: Mapping[str, object]) -> dict[str, object]:
    manifests = chart.render(LEAST, values={"rules.text": "rules: []\n", **values})
    return {each["metadata"]["name"]: each["spec"]["template"] for each in manifests.of_kind("Deployment")}


def test_other_rules_replace_no_pod(chart: Chart) -> None:
    assert pods_after(chart, {}) == pods_after(chart, {"rules.text": "rules: []\ndefault: drop\n"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka.bootstrapServers", ["other:9092"]),
        ("topics.raw", "other"),
        ("names", {"profile": "custom", "custom": {"message.push.sent": "Pushed"}}),
        ("componentDefaults.settings", {"PIPELINE_LOG_LEVEL": "debug"}),
        ("image.tag", "2"),
    ],
)
def test_any_other_change_of_settings_replaces_pods(chart: Chart, name: str, value: object) -> None:
    before, after = pods_after(chart, {}), pods_after(chart, {name: value})
    assert "pipeline-onesignal-pipeline-processor" in {each for each in before if before[each] != after[each]}


def test_other_names_and_rules_replace_no_pod_for_workers_take_them_up(chart: Chart) -> None:
    one, other = (
        pods_after(
            chart,
            {
                "names": {"profile": "custom", "custom": {"message.push.sent": name}},
                "rules.text": f"rules: []\ndefault: {default}\n",
            },
        )
        for name, default in (("Pushed", "keep"), ("Sent", "drop"))
    )
    assert one == other


def test_what_only_the_topics_job_needs_replaces_no_pod(chart: Chart) -> None:
    only = {"topics.retentionHours.deadLetters": 24, "topics.replicationFactor": 1}
    assert pods_after(chart, {}) == pods_after(chart, only)


def test_workers_know_how_long_what_they_read_is_kept_where_the_cluster_does_not_tell(
    chart: Chart, tmp_path: Path
) -> None:
    manifests = chart.render(LEAST, values={"topics.retentionHours": {"raw": 24, "records": 336}})
    assert settings_of("processor", manifests, tmp_path / "processor").raw_topic_retention_hours == 24
    assert settings_of("segment-sink", manifests, tmp_path / "sink").segment.records_topic_retention_hours == 336


def test_mounted_paths_are_absolute(chart: Chart) -> None:
    for pod in chart.render(EVERYTHING).pods().values():
        for mount in pod["containers"][0]["volumeMounts"]:
            assert PurePosixPath(mount["mountPath"]).is_absolute()
