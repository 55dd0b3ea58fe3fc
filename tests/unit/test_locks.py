from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def pins(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["runtime", "demo", "registry", "what-if", "build"])
def test_what_is_installed_elsewhere_is_what_the_tests_run_on(name: str) -> None:
    assert pins(name)
    assert pins(name).items() <= pins("dev").items()


@pytest.mark.parametrize(
    ("name", "package"), [("demo", "confluent-kafka"), ("registry", "authlib"), ("what-if", "datasketches")]
)
def test_the_lock_of_an_extra_has_all_that_the_runtime_lock_has_and_what_the_extra_brings(
    name: str, package: str
) -> None:
    assert pins("runtime").items() < pins(name).items()
    assert package in pins(name)
    assert package not in pins("runtime")


@pytest.mark.parametrize("lock", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda lock: lock.name)
def test_no_lock_names_an_address(lock: Path) -> None:
    assert "://" not in lock.read_text(encoding="utf-8")


def test_what_make_mutants_adds_goes_with_what_the_tests_run_on() -> None:
    both = pins("mutants").keys() & pins("dev").keys()
    assert "cosmic-ray" in pins("mutants")
    assert {name: pins("mutants")[name] for name in both} == {name: pins("dev")[name] for name in both}


def test_what_builds_the_site_goes_with_what_the_tests_run_on() -> None:
    both = pins("docs").keys() & pins("dev").keys()
    assert "mkdocs-material" in pins("docs")
    assert {name: pins("docs")[name] for name in both} == {name: pins("dev")[name] for name in both}
