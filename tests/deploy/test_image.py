"""The image, really built and run: `make test-image`. Root, buildah and mmdebstrap are needed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import PROGRAM
from pipeline.local.broker import EmbeddedBroker
from pipeline.local.demo_http import until_ready
from tests.builders import encode, raw_event
from tests.deploy.container import DOCKERFILE, ROOT, Builder, ImageUnavailableError
from tests.loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deploy.container import Image

USER = 10001
SECONDS = 60
MOST_MEGABYTES = 125
"""What the image adds to its base. Raised only by the size of a dependency that new work needs."""
EXTRAS = "demo,what-if"
IN_THE_IMAGE = """
import json, os, pathlib
def writes(folder):
    try:
        pathlib.Path(folder, "written").write_text("x")
    except OSError as error:
        return error.strerror
    return True
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    "pid": os.getpid(), "user": os.getuid(), "group": os.getgid(), "groups": os.getgroups(),
    "capabilities": status["CapEff"], "folder": os.getcwd(), "data": writes("/data"), "root": writes("/"),
    "program": writes("/opt/onesignal-pipeline"),
}))
"""
INSTALLED = """
import importlib.metadata, json
print(json.dumps({each.name.lower().replace("_", "-"): each.version for each in importlib.metadata.distributions()}))
"""
# The traceback shows the source of this program and of a module, which rich highlights.
IMPORTED = """
import importlib, io, json, pkgutil
import pipeline
from rich.console import Console
from rich.traceback import Traceback
failed = []
for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
    if module.name != "pipeline.__main__":
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed.append([module.name, error.name])
try:
    json.loads("")
except ValueError as error:
    console = Console(file=io.StringIO(), force_terminal=True)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__))
    shown = console.file.getvalue()
print(json.dumps({"failed": failed, "highlighted": "\\x1b[" in shown and "JSONDecodeError" in shown}))
"""


def built(extras: str = "") -> Iterator[Image]:
    """Build the image; skip where this machine cannot, and fail there with CI=true if this is root's own machine."""
    try:
        builder = Builder()
        with builder.build(extras) as image:
            yield image
    except ImageUnavailableError as error:
        if os.environ.get("CI", "").lower() == "true" and os.geteuid() == 0:
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    yield from built()


@pytest.fixture(scope="module")
def image_with_extras() -> Iterator[Image]:
    yield from built(EXTRAS)


def pins(name: str) -> list[tuple[str, str, str]]:
    """Read name, version and condition of each package in a lock file."""
    lock = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return re.findall(r"^([a-z0-9.-]+)==(\S+) (; .*)?\\$", lock, re.MULTILINE)


def added_megabytes(image: Image) -> float:
    return float(image.size.removesuffix(" MB")) - float(image.base_size.removesuffix(" MB"))


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_hadolint_finds_a_fault() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    text = DOCKERFILE.read_text(encoding="utf-8").replace("USER 10001:10001", "USER root\nRUN sudo true")
    done = subprocess.run([hadolint, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DL3002" in done.stdout


def test_a_build_is_given_only_what_the_dockerfile_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == {name for line in copied for name in line.split()}
    assert "*" in ignored


def test_the_image_adds_no_more_to_its_base_than_it_may(image: Image) -> None:
    assert 0 < added_megabytes(image) <= MOST_MEGABYTES


def test_the_documents_tell_the_images_size_within_a_tenth(image: Image) -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in documents)
    (told,) = re.findall(r"It is (\d+) MB on Debian's own\s+Python, (\d+) MB of them ours", text)
    size = float(image.size.removesuffix(" MB"))
    assert [int(each) for each in told] == pytest.approx([size, added_megabytes(image)], rel=0.1)


def test_the_image_says_what_it_is(image: Image) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = image.configuration["Labels"]
    assert labels["org.opencontainers.image.title"] == project["name"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert image.configuration["User"] == f"{USER}:{USER}"
    assert image.configuration["Entrypoint"] == [PROGRAM]
    assert image.run(PROGRAM, "--version") == (0, f"{PROGRAM}, version {project['version']}\n")
    code, said = image.run(*image.configuration["Entrypoint"], *image.configuration["Cmd"])
    assert code == 0
    assert "Forward OneSignal's messaging events" in said


def test_a_program_in_it_is_alone_has_no_rights_and_writes_one_folder(image: Image) -> None:
    code, said = image.run("python3", "-c", IN_THE_IMAGE)
    assert code == 0, said
    assert json.loads(said) == {
        "pid": 1,
        "user": USER,
        "group": USER,
        "groups": [],
        "capabilities": "0000000000000000",
        "folder": "/data",
        "data": True,
        "root": "Read-only file system",
        "program": "Read-only file system",
    }


def test_what_is_installed_is_what_is_locked_and_nothing_else(image: Image) -> None:
    check_installed(image, pins("registry"))


def test_a_build_argument_adds_extras(image_with_extras: Image) -> None:
    check_installed(image_with_extras, [pin for name in ("registry", *EXTRAS.split(",")) for pin in pins(name)])


def check_installed(image: Image, pins: list[tuple[str, str, str]]) -> None:
    code, said = image.run("python3", "-c", INSTALLED)
    assert code == 0, said
    found = json.loads(said)
    assert found.pop(PROGRAM) == "0.1.0"
    assert found.items() <= {(name, version) for name, version, _ in pins}
    assert found.keys() >= {name for name, _, condition in pins if not condition}


def test_only_the_extra_is_missed_of_what_is_not_in_it(image: Image) -> None:
    code, said = image.run("python3", "-c", IMPORTED)
    assert code == 0, said
    assert json.loads(said) == {
        "failed": [["pipeline.tools.what_if.sketched_crowds", "datasketches"]],
        "highlighted": True,
    }
    code, said = image.run(PROGRAM, "rules", "what-if", "keep-all", "--from", "/dev/null")
    assert code == 2
    assert said.endswith("pip install 'onesignal-pipeline[what-if]'\n")


def test_with_its_extra_users_are_estimated(image_with_extras: Image) -> None:
    (event,) = encode(raw_event("message.push.clicked", external_id="u-1")).decode().splitlines()
    count = f"{PROGRAM} rules what-if keep-all --from events.jsonl --exact-users 0"
    code, said = image_with_extras.run("sh", "-c", f"cat >events.jsonl <<'E'\n{event}\nE\n{count}")
    assert code == 0, said
    assert "more than 0 distinct users" in said


def test_a_schema_registry_can_be_spoken_to(image: Image) -> None:
    assert image.run("python3", "-c", "import pipeline.kafka.schema_registry, confluent_kafka.schema_registry") == (
        0,
        "",
    )


def test_there_is_no_compiler_in_it(image: Image) -> None:
    for program in ("cc", "gcc", "c++", "clang", "ld", "make", "cargo"):
        assert image.run("sh", "-c", f"command -v {program}")[0] != 0


def healthcheck(image: Image, environment: dict[str, str]) -> int:
    kind, *command = image.configuration["Healthcheck"]["Test"]
    assert kind == "CMD"
    return image.run(*command, environment=environment)[0]


@pytest.mark.parametrize("role", ["processor", "segment-sink"])
def test_a_worker_is_process_one_answers_its_healthcheck_and_ends_in_order(image: Image, role: str) -> None:
    (port,) = free_ports(1)
    with EmbeddedBroker() as broker:
        for topic in ("onesignal.events", "segment.records", "onesignal.dead-letters"):
            broker.create_topic(topic, 2)
        environment = {
            "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "PIPELINE_HTTP_HOST": "127.0.0.1",
            "PIPELINE_HTTP_PORT": str(port),
            "PIPELINE_SEGMENT_ENDPOINT": "http://127.0.0.1:1/v1/batch",
            "PIPELINE_SEGMENT_WRITE_KEY": "0123456789abcdefghijABCDEFGHIJ01",
        }
        assert healthcheck(image, environment) == 1
        container = image.start([*image.configuration["Entrypoint"], "worker", role], environment)
        try:
            asyncio.run(asyncio.wait_for(until_ready(port), SECONDS))
            assert healthcheck(image, environment) == 0
            program = container.program
            assert program.uids().effective == USER
            assert program.children() == []
            began = time.monotonic()
            program.terminate()
            code, said = container.ended(SECONDS)
        finally:
            container.close()
    assert code == 0, said
    assert time.monotonic() - began < 30
    assert healthcheck(image, environment) == 1
