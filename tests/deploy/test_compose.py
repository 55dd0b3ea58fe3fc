from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pipeline.cli.main import PROGRAM, cli
from pipeline.local.mixpanel.stand_in import PROJECT_TOKEN
from pipeline.local.segment.stand_in import WRITE_KEY
from pipeline.settings.loading import load_settings
from tests.deploy.compose import COMPOSE_FILE, ROOT, RefusedError, resolve
from tests.deploy.programs import program
from tests.kafka_program import KAFKA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.deploy.compose import Service

EVERYWHERE = {"kafka", "topics", "prometheus", "grafana"}
REAL = {"segment-sink-real": "segment-sink", "mixpanel-sink-real": "mixpanel-sink"}
DASHBOARDS = ROOT / "deploy" / "helm" / "onesignal-pipeline" / "dashboards"
SERVICES = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]


@pytest.fixture(scope="module")
def docker_compose(tool: Callable[[str], Path]) -> Path:
    return tool("docker-compose")


@pytest.fixture(scope="module", params=["stand-in", "real", "real-mixpanel", "real,real-mixpanel"])
def services(request: pytest.FixtureRequest, docker_compose: Path) -> dict[str, Service]:
    return resolve(docker_compose, COMPOSE_PROFILES=request.param)


def test_without_a_word_stand_ins_are_delivered_to_and_traffic_flows(docker_compose: Path) -> None:
    services = resolve(docker_compose)
    segment, mixpanel = {"segment", "processor", "segment-sink"}, {"mixpanel", "mixpanel-processor", "mixpanel-sink"}
    assert services.keys() == EVERYWHERE | segment | mixpanel | {"traffic"}
    settings = services["mixpanel-sink"].environment
    assert settings["PIPELINE_MIXPANEL_ENDPOINT"] == "http://mixpanel:8091/import"
    assert settings["PIPELINE_MIXPANEL_PROJECT_TOKEN"] == PROJECT_TOKEN
    settings = services["segment-sink"].environment
    assert settings["PIPELINE_SEGMENT_ENDPOINT"] == "http://segment:8090/v1/batch"
    assert settings["PIPELINE_SEGMENT_WRITE_KEY"] == WRITE_KEY


def test_the_real_segment_gets_no_made_up_traffic(docker_compose: Path) -> None:
    key = "0123456789abcdefghijABCDEFGHIJ01"
    services = resolve(
        docker_compose, COMPOSE_PROFILES="real", PIPELINE_SEGMENT_WRITE_KEY=key, PIPELINE_SEGMENT_REGION="eu"
    )
    assert services.keys() == EVERYWHERE | {"processor", "segment-sink-real"}
    settings = load_settings(services["segment-sink-real"].environment)
    assert settings.segment.write_key is not None
    assert settings.segment.write_key.get_secret_value() == key
    assert settings.segment.region == "eu"
    assert settings.segment.endpoint is None
    assert "segment-sink" in services["segment-sink-real"].resolved["networks"]["default"]["aliases"]


def test_the_real_mixpanel_gets_no_made_up_traffic_and_needs_no_segment(docker_compose: Path) -> None:
    token = "0123456789abcdef0123456789abcdef"
    services = resolve(
        docker_compose,
        COMPOSE_PROFILES="real-mixpanel",
        PIPELINE_MIXPANEL_PROJECT_TOKEN=token,
        PIPELINE_MIXPANEL_REGION="in",
    )
    assert services.keys() == EVERYWHERE | {"mixpanel-processor", "mixpanel-sink-real"}
    settings = load_settings(services["mixpanel-sink-real"].environment)
    assert settings.mixpanel.project_token is not None
    assert settings.mixpanel.project_token.get_secret_value() == token
    assert settings.mixpanel.region == "in"
    assert settings.mixpanel.endpoint is None
    assert "mixpanel-sink" in services["mixpanel-sink-real"].resolved["networks"]["default"]["aliases"]


@pytest.mark.parametrize("real", ["real", "real-mixpanel"])
def test_a_stand_in_and_the_real_one_at_once_are_refused(docker_compose: Path, real: str) -> None:
    with pytest.raises(RefusedError, match="already in use"):
        resolve(docker_compose, COMPOSE_PROFILES=f"{real},stand-in")


def test_the_rate_of_the_traffic_can_be_chosen(docker_compose: Path) -> None:
    assert resolve(docker_compose)["traffic"].command == [PROGRAM, "traffic", "--rate", "100"]
    assert resolve(docker_compose, TRAFFIC_RATE="5")["traffic"].command == [PROGRAM, "traffic", "--rate", "5"]


def test_extras_can_be_built_in(docker_compose: Path) -> None:
    def built(services: dict[str, Service]) -> set[str]:
        return {service.resolved["build"]["args"]["EXTRAS"] for service in services.values() if service.is_ours}

    assert built(resolve(docker_compose)) == {""}
    assert built(resolve(docker_compose, EXTRAS="what-if")) == {"what-if"}


def test_ports_are_open_on_loopback_only(services: dict[str, Service]) -> None:
    ports = [port for service in services.values() for port in service.resolved.get("ports", [])]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len({port["published"] for port in ports}) == len(ports)


def test_every_image_is_pinned(services: dict[str, Service]) -> None:
    images = {service.resolved["image"] for service in services.values()}
    assert f"apache/kafka:{KAFKA_VERSION}" in images
    assert f"{PROGRAM}:{version(PROGRAM)}" in images
    assert all(re.fullmatch(r"[a-z-]+(/[a-z]+)?:v?\d+\.\d+\.\d+", image) for image in images)


def test_what_runs_goes_on_after_a_fault_and_has_time_to_end(services: dict[str, Service]) -> None:
    for service in services.values():
        assert service.resolved["restart"] == ("on-failure" if service.name == "topics" else "unless-stopped")
    settings = load_settings({})
    workers = [service.name for service in services.values() if service.command[1:2] == ["worker"]]
    assert workers
    for name in workers:
        assert services[name].resolved["stop_grace_period"] == "45s"
    assert settings.shutdown_timeout_seconds + 10 < 45  # with Kafka away, leaving takes up to 10 s more


def test_our_containers_have_no_rights(services: dict[str, Service]) -> None:
    ours = [service.resolved for service in services.values() if service.is_ours]
    assert ours
    for service in ours:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/data"]


def test_nothing_starts_before_what_it_needs_is_healthy(services: dict[str, Service]) -> None:
    for service in services.values():
        for name, condition in service.waits_for.items():
            assert condition == ("service_completed_successfully" if name == "topics" else "service_healthy"), (
                service.name
            )
            assert name == "topics" or services[name].healthcheck, name
    assert services["topics"].waits_for.keys() == {"kafka"}
    assert [name for name in services if not services[name].waits_for and name != "kafka"] in (
        [],
        ["mixpanel", "segment"],
    )


def test_settings_are_settings_and_commands_are_commands(services: dict[str, Service]) -> None:
    for service in services.values():
        load_settings(service.environment)
        if service.is_ours and service.command[0] == PROGRAM:
            assert service.command[1] in cli.commands


def test_all_that_is_mounted_is_there(services: dict[str, Service]) -> None:
    mounts = [mount for service in services.values() for mount in service.resolved.get("volumes", [])]
    files = [mount for mount in mounts if mount["type"] == "bind"]
    assert len(files) == 4
    for mount in files:
        assert Path(mount["source"]).exists()
        assert mount["read_only"] is True
    named = {mount["source"] for mount in mounts if mount["type"] == "volume"}
    assert named == {"kafka", "prometheus", "grafana"}


def mounted(service: Service, path: str) -> Path:
    """Find a file of a container where it comes from."""
    for mount in service.resolved["volumes"]:
        if path.startswith(mount["target"]):
            return Path(mount["source"] + path.removeprefix(mount["target"]))
    raise AssertionError(f"{path} is not mounted")


def test_grafana_finds_its_datasource_and_every_dashboard(services: dict[str, Service]) -> None:
    grafana = services["grafana"]
    provisioning = mounted(grafana, "/etc/grafana/provisioning")
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "onesignal-pipeline.yaml").read_text())["providers"]
    assert mounted(grafana, provider["options"]["path"]) == DASHBOARDS
    assert mounted(grafana, grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).exists()
    for file in DASHBOARDS.glob("*.json"):
        variables = json.loads(file.read_text())["templating"]["list"]
        assert [each["query"] for each in variables if each["type"] == "datasource"] == [source["type"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GF_AUTH_ANONYMOUS_ORG_ROLE", "Viewer"),
        ("GF_AUTH_BASIC_ENABLED", "false"),  # else `admin` with the password `admin` is taken by the API
        ("GF_AUTH_DISABLE_LOGIN_FORM", "true"),
        ("GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION", "true"),
    ],
)
def test_nobody_logs_in_to_grafana(name: str, value: str) -> None:
    assert SERVICES["grafana"]["environment"][name] == value


def test_prometheus_takes_its_configuration_and_the_alerts(services: dict[str, Service], tmp_path: Path) -> None:
    for path in ("prometheus.yml", "alerts"):
        (tmp_path / path).symlink_to(mounted(services["prometheus"], f"/etc/prometheus/{path}"))
    promtool = program("promtool", package="prometheus")
    command = [promtool, "check", "config", "--lint=all", "--lint-fatal", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"SUCCESS: \d+ rules found", done.stdout), done.stdout


def test_prometheus_asks_the_workers_that_there_are(services: dict[str, Service]) -> None:
    configuration = yaml.safe_load(mounted(services["prometheus"], "/etc/prometheus/prometheus.yml").read_text())
    targets = [
        target
        for job in configuration["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
    ]
    asked = {target.removesuffix(":8080") for target in targets}
    assert asked == {"processor", "segment-sink", "mixpanel-processor", "mixpanel-sink"}
    workers = {REAL.get(name, name) for name, service in services.items() if service.command[1:2] == ["worker"]}
    assert workers == asked & {REAL.get(name, name) for name in services}
