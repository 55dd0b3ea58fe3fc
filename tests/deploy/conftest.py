"""Fixtures of the chart's tests: the pinned tools, and a cluster that the whole run shares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.deploy import toolbox
from tests.deploy.cluster import Cluster
from tests.deploy.rendering import Chart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Found = TypeVar("Found")


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Return a function that finds a pinned tool. Without it the test is skipped, and fails with ``CI=true``."""
    return lambda program: _or_not_run(lambda: toolbox.tool(program))


@pytest.fixture(scope="session")
def kubeconform() -> list[str]:
    """Return the command that checks manifests against Kubernetes' schemas; skips or fails like `tool`."""
    return _or_not_run(toolbox.kubeconform)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a cluster for the whole run."""
    with _or_not_run(Cluster) as running:
        yield running


@pytest.fixture(scope="session")
def chart(tool: Callable[[str], Path]) -> Chart:
    """Return the chart with the pinned Helm that renders it."""
    return Chart(helm=tool("helm"))


def _or_not_run(find: Callable[[], Found]) -> Found:
    try:
        return find()
    except toolbox.ToolsUnavailableError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
