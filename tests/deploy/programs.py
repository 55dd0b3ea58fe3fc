"""The tools of this lane: which are lacking is said, and in CI it is a failure."""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

IN_CI: Final = os.environ.get("CI", "").lower() == "true"


def program(name: str, *, package: str) -> str:
    """Return the path of a program; without it the test is skipped, but in CI it fails."""
    found = shutil.which(name)
    if found is not None:
        return found
    why = f"{name} is not installed (Debian, Ubuntu: apt-get install {package})"
    if IN_CI:
        pytest.fail(why)
    pytest.skip(why)
