from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from pipeline.settings.extras import _MODULES, Extra, missing_module, require_extra
from pipeline.settings.mistakes import SettingsError

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
OPTIONAL = {"confluent-kafka", "datasketches", "numpy"}

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
for name in ("confluent_kafka", "datasketches", "numpy", "authlib", "cachetools", "httpx2"):
    sys.modules[name] = None
import pipeline
failed = []
for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
    if module.name != "pipeline.__main__":
        try:
            importlib.import_module(module.name)
        except ImportError:
            failed.append(module.name)
print(json.dumps(failed))
"""


def name_of(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def brought_by(requirement: str) -> set[str]:
    """List a package, what it requires on this machine, and what the extras in its requirement add."""
    asked = Requirement(requirement)
    found = {name_of(asked.name)}
    for text in requires(asked.name) or []:
        needed = Requirement(text)
        environments = [{"extra": extra} for extra in ("", *asked.extras)]
        if needed.marker is None or any(needed.marker.evaluate(environment) for environment in environments):
            found.add(name_of(needed.name))
    return found


@pytest.mark.parametrize("extra", Extra)
def test_the_modules_of_an_extra_belong_to_the_packages_that_it_brings(extra: Extra) -> None:
    owners = packages_distributions()
    assert {name_of(owners[module][0]) for module in _MODULES[extra]} == set().union(*map(brought_by, EXTRAS[extra]))


@pytest.mark.parametrize("extra", Extra)
def test_an_extra_that_is_installed_is_not_missed(extra: Extra) -> None:
    assert missing_module(extra) is None
    require_extra(extra, needed_by="`it`")


@pytest.mark.parametrize(("extra", "module"), [(extra, module) for extra in Extra for module in _MODULES[extra]])
def test_any_module_that_is_missing_is_named_with_its_extra_and_how_to_install_it(
    extra: Extra, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError) as raised:
        require_extra(extra, needed_by="`it`", fields=("a",))
    assert str(raised.value) == (
        f"`it` needs the extra `{extra.value}`, which is not installed (there is no module {module}): "
        f"pip install 'onesignal-pipeline[{extra.value}]'"
    )
    assert [mistake.fields for mistake in raised.value.mistakes] == [("a",)]


def test_nothing_that_an_extra_brings_is_a_runtime_dependency() -> None:
    dependencies = {name_of(Requirement(each).name) for each in PROJECT["dependencies"]}
    assert "rich" in dependencies
    assert not dependencies & OPTIONAL
    lock = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    assert not OPTIONAL & set(re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE))


def test_there_is_an_extra_for_each_that_the_program_knows_and_dev_has_them_all() -> None:
    assert EXTRAS.keys() == {extra.value for extra in Extra} | {"dev"}
    assert f"onesignal-pipeline[{','.join(sorted(extra.value for extra in Extra))}]" in EXTRAS["dev"]


def test_without_the_extras_only_what_they_are_for_cannot_be_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    failed = set(json.loads(done.stdout))
    local = {name for name in failed if name.startswith("pipeline.local.")}
    assert failed - local == {"pipeline.tools.what_if.sketched_crowds"}
    assert "pipeline.local.broker" in local
    assert not local & {"pipeline.local.traffic_stream", "pipeline.local.segment.stand_in"}
