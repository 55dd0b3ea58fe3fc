from __future__ import annotations

import re
from pathlib import Path

import pipeline

PACKAGE = Path(pipeline.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "guarantees.md").read_text(encoding="utf-8")
TESTS = Path(__file__).parents[1]


def test_every_test_that_the_guarantees_name_is_there() -> None:
    defined = {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named - defined == set()
    assert len(named) > 20


def test_every_module_that_the_guarantees_name_is_there() -> None:
    kept_by = "".join(re.findall(r"(?s)\*\*Kept by\*\*.*?\n\n", PAGE))
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", kept_by)
    assert len(named) > 50
    assert [name for name in named if not (PACKAGE / name).exists()] == []
