from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli.main import ExitCode, run
from pipeline.core.visible import visible
from tests.hostile.terminal import EVERYTHING

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")

TEXTS: Final = st.one_of(
    st.text(st.sampled_from(sorted({*EVERYTHING, *"abcdef \\u00"})), min_size=1, max_size=20),
    st.text(max_size=20),
    st.just(EVERYTHING),
)
FILE_NAMES: Final = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(lambda name: name not in {".", "..", "-"} and not name.startswith("-"))


def _printed(*arguments: str) -> tuple[int, list[str]]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(arguments, {})
    return code, (out.getvalue() + err.getvalue()).removesuffix("\n").split("\n")


def _yaml(text: str) -> str:
    return '"' + "".join(f"\\U{ord(each):08x}" for each in text) + '"'


@given(texts=st.lists(TEXTS, min_size=9, max_size=9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_text_of_an_event_steers_the_terminal_or_looks_like_an_answer(texts: list[str], tmp_path: Path) -> None:
    kind, number, user, onesignal_id, app, title, tag, value, name = texts
    event: dict[str, object] = {
        "id": number,
        "kind": f"message.{kind}",
        "external_id": user,
        "onesignal_id": onesignal_id,
        "app_id": app,
    }
    event |= {"tags": {tag: value}, "data": {tag: title}}
    message = {"id": number, "title": {"en": title}, "name": name, "contents": {tag: value}}
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"event": event, "message": message}), encoding="utf-8")
    for kinds in (f"message.{kind}", "message.push.clicked"):
        path.write_text(json.dumps({"event": event | {"kind": kinds}, "message": message}), encoding="utf-8")
        code, lines = _printed("rules", "explain", "keep-all", str(path))
        assert code == ExitCode.DONE
        assert [line for line in lines if line != visible(line)] == []
        assert [line.split()[0] for line in lines].count("outcome") == 1
    code, lines = _printed("rules", "what-if", "keep-all", "--from", str(path))
    assert code == ExitCode.DONE
    assert [line for line in lines if line != visible(line)] == []


@given(name=TEXTS, value=TEXTS, file_name=FILE_NAMES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_text_of_a_rules_file_and_no_name_of_one_steers_the_terminal(
    name: str, value: str, file_name: str, tmp_path: Path
) -> None:
    path = tmp_path / file_name
    rule = f"{{name: {_yaml(name)}, when: {{action: clicked, message_name: {_yaml(value)}}}, then: drop}}"
    path.write_text(f"rules: [{rule}]\n", encoding="utf-8")
    (tmp_path / "event.jsonl").write_text('{"event":{"kind":"message.push.clicked"}}', encoding="utf-8")
    for command in (
        ("check", str(path)),
        ("diff", "keep-all", str(path)),
        ("what-if", str(path), "--from", str(tmp_path / "event.jsonl"), "--currency", value, "--price", "1"),
    ):
        code, lines = _printed("rules", *command)
        assert code in {ExitCode.DONE, ExitCode.MISTAKE}
        assert [line for line in lines if line != visible(line)] == []
    path.unlink()
