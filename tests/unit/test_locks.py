from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def pins(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["runtime", "registry", "build"])
def test_what_is_installed_elsewhere_is_what_the_tests_run_on(name: str) -> None:
    assert pins(name)
    assert pins(name).items() <= pins("dev").items()


def test_the_registry_lock_has_all_that_the_runtime_lock_has_and_a_registry_client() -> None:
    assert pins("runtime").items() < pins("registry").items()
    assert "authlib" in pins("registry")


def test_what_make_mutants_adds_goes_with_what_the_tests_run_on() -> None:
    both = pins("mutants").keys() & pins("dev").keys()
    assert "cosmic-ray" in pins("mutants")
    assert {name: pins("mutants")[name] for name in both} == {name: pins("dev")[name] for name in both}
