"""A credential for each worker, so that a stand-in knows who sent a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.settings.choices import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_WORKERS: Final = 1_000


def write_key(worker: int) -> str:
    """Return a write key of Segment for one worker only."""
    return f"ChaosWorker{worker:021d}"


def project_token(worker: int) -> str:
    """Return a project token of Mixpanel for one worker only."""
    return f"c4a05{worker:027d}"


_OF_ROLE: Final[Mapping[Role, tuple[str, Callable[[int], str]]]] = {
    Role.PROCESSOR: ("PIPELINE_SEGMENT_WRITE_KEY", write_key),
    Role.SEGMENT_SINK: ("PIPELINE_SEGMENT_WRITE_KEY", write_key),
    Role.MIXPANEL_PROCESSOR: ("PIPELINE_MIXPANEL_PROJECT_TOKEN", project_token),
    Role.MIXPANEL_SINK: ("PIPELINE_MIXPANEL_PROJECT_TOKEN", project_token),
}


def credential(role: Role, worker: int) -> tuple[str, str]:
    """Return the variable of a worker's credential, and its value."""
    name, made = _OF_ROLE[role]
    return name, made(worker)
