"""The chart's README, which helm-docs makes of its values and their comments: `make chart-docs`, a test compares it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from tests.deploy import toolbox
from tests.write_chart_schema import CHART

if TYPE_CHECKING:
    from pathlib import Path

README: Final = CHART / "README.md"


def readme_text(helm_docs: Path) -> str:
    """Return the README that belongs to the chart."""
    options = ("--chart-search-root", str(CHART), "--sort-values-order", "file", "--log-level", "error", "--dry-run")
    done = subprocess.run([str(helm_docs), *options], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip() + "\n"


if __name__ == "__main__":
    README.write_text(readme_text(toolbox.tool("helm-docs")), encoding="utf-8")
