"""docker-compose.yml as Docker Compose itself resolves it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
COMPOSE_FILE: Final = ROOT / "docker-compose.yml"
DOCKERFILE: Final = ROOT / "deploy" / "docker" / "Dockerfile"
_SECONDS: Final = 60


class RefusedError(Exception):
    """Compose refuses the file; the text is Compose's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, with what it takes from the image's own instructions."""

    name: str
    resolved: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it runs the image of this project."""
        return "build" in self.resolved

    @property
    def command(self) -> list[str]:
        """The command line of its process; empty where the image of somebody else has it."""
        entrypoint = self.resolved["entrypoint"] or (_instruction("ENTRYPOINT") if self.is_ours else [])
        return [*entrypoint, *(self.resolved["command"] or [])]

    @property
    def environment(self) -> dict[str, str]:
        """What stands in its environment."""
        return dict(self.resolved.get("environment") or {})

    @property
    def healthcheck(self) -> list[str]:
        """The command that tells whether it is healthy; empty where there is none."""
        own = self.resolved.get("healthcheck") or {}
        if own.get("disable"):
            return []
        if "test" in own:
            told: list[str] = own["test"]
            kind, *command = told
            assert kind == "CMD", "no shell is wanted"
            return list(command)
        return _instruction("CMD", within="HEALTHCHECK") if self.is_ours else []

    @property
    def waits_for(self) -> dict[str, str]:
        """On which services it waits, and for what."""
        return {name: each["condition"] for name, each in (self.resolved.get("depends_on") or {}).items()}


def resolve(docker_compose: Path, **environment: str) -> dict[str, Service]:
    """Let Compose resolve the file, and return the services that it would start, those first that others wait for.

    Raises:
        RefusedError: with Compose's words.
    """
    told = run(docker_compose, "config", "--format", "json", **environment)
    services = {name: Service(name=name, resolved=each) for name, each in json.loads(told)["services"].items()}
    ordered: dict[str, Service] = {}
    while len(ordered) < len(services):
        ready = {name: each for name, each in services.items() if each.waits_for.keys() <= ordered.keys()}
        assert ready.keys() > ordered.keys(), "services wait for each other"
        ordered |= ready
    return ordered


def run(docker_compose: Path, *arguments: str, **environment: str) -> str:
    """Run one command of Compose on the file, with nothing in its environment but this.

    Raises:
        RefusedError: with Compose's words.
    """
    done = subprocess.run(
        [docker_compose, "--file", COMPOSE_FILE, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        raise RefusedError(done.stderr)
    return done.stdout


def _instruction(name: str, *, within: str = "") -> list[str]:
    """Read the last command of the Dockerfile's that stands in JSON behind an instruction."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    *_, found = re.findall(rf"^{within}.*\b{name} (\[.*\])$", text, re.MULTILINE)
    command: list[str] = json.loads(found)
    return command
