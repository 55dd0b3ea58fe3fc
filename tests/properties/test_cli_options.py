from __future__ import annotations

import io
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import islice
from typing import TYPE_CHECKING, Final

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli.main import ExitCode, cli, run
from pipeline.core.visible import visible
from pipeline.local.traffic import traffic
from pipeline.local.traffic_population import population_size
from pipeline.local.traffic_stream import Pace
from tests.builders import encode, raw_event
from tests.hostile.terminal import EVERYTHING, MANY_DIGITS, MARKUP, NOT_UTF_8, OVER_LONG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.local.demo import DemoOptions
    from pipeline.local.traffic_stream import TrafficOptions

pytestmark = pytest.mark.usefixtures("logs_put_back")

FIXED: Final = (
    *("", " ", "-", "--", "-1", "0", "1", "nan", "-inf", "Infinity", "1e999", "1e308", "0x10", "1_000", "\u0661"),
    *(MANY_DIGITS, "-" + MANY_DIGITS, "9" * 4_000, str(2**31), str(2**63), str(2**64), "1." + "0" * 400),
    *(
        EVERYTHING,
        MARKUP,
        NOT_UTF_8,
        OVER_LONG,
        "\ud800",
        "\0",
        "a\0b",
        "[/]",
        "[bold",
        "%s%n",
        "{0.__class__}",
        "${IFS}",
    ),
    *(".", "..", "/", "/dev/null", "/proc/self/status", "absent/absent", "rules.yaml", "events.jsonl"),
    *("1969-12-31", "2999-01-01", "0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59", "999999w", "0:1,0:1", "1:1", ":"),
)
VALUES: Final = st.one_of(
    st.text(st.characters(exclude_characters="/"), max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
)
NEEDED: Final[dict[tuple[str, ...], list[str]]] = {
    ("rules", "what-if"): ["--from", "events.jsonl"],
}


def _parameters(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _parameters(command, *path, name)
        else:
            yield from (((*path, name), parameter) for parameter in command.params)


PARAMETERS: Final = [
    (path, parameter)
    for path, parameter in _parameters(cli)
    if not (isinstance(parameter, click.Option) and parameter.is_flag)
]


def _named(each: click.Parameter | tuple[str, ...]) -> str:
    return " ".join(each) if isinstance(each, tuple) else str(each.name)


def _commandline(path: tuple[str, ...], parameter: click.Parameter, value: str) -> list[str]:
    """Return arguments in which one parameter has the value and the others have valid values."""
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    words = [value if each is parameter else "keep-all" for each in arguments if each is parameter or each.required]
    if isinstance(parameter, click.Argument):
        return [*path, *NEEDED.get(path, []), "--", *words]
    needed = [] if parameter.name in {"since", "source"} else NEEDED.get(path, [])
    price = ["--price", "1"] if parameter.name == "currency" else []
    return [*path, *needed, *price, f"{parameter.opts[-1]}={value}", *words]


def _begin(seed: int, events: int | None) -> None:
    """Use the numbers as the traffic generator does, for few people."""
    assert population_size(events or 1)
    assert len(list(traffic(seed=seed, events=3))) == 3
    assert not list(islice((), events))


@pytest.fixture
def nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the demo and the traffic generator by functions that only use the options."""

    def demonstrated(options: DemoOptions, **_: object) -> int:
        _begin(options.seed, options.events)
        return 0

    def streamed(_: object, __: object, options: TrafficOptions, **___: object) -> None:
        pace = Pace(rate=options.rate, since=0.0)
        _begin(options.seed or 0, options.events)
        assert not list(islice((), pace.due(1e9)))

    monkeypatch.setattr("pipeline.local.demo.run_demo", demonstrated)
    monkeypatch.setattr("pipeline.local.traffic_stream.run_traffic", streamed)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.jsonl").write_bytes(encode(raw_event("message.push.sent", external_id="u")))
    (tmp_path / "rules.yaml").write_text("rules: []\n", encoding="utf-8")


def _environment(path: tuple[str, ...]) -> dict[str, str]:
    return {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"} if path == ("traffic",) else {}


def _objections(path: tuple[str, ...], parameter: click.Parameter, value: str) -> Iterator[str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), _standard_input():
        try:
            code = run(_commandline(path, parameter, value), _environment(path))
        except Exception as error:  # noqa: BLE001 -- any exception would be a traceback
            yield f"{value[:100]!r}: {error!r}"
            return
    is_not_written = code == ExitCode.FAILED and "cannot be written" in err.getvalue()
    if code not in {ExitCode.DONE, ExitCode.MISTAKE} and not is_not_written:
        yield f"{value[:100]!r}: exit code {code}"
    if code != ExitCode.DONE and not err.getvalue():
        yield f"{value[:100]!r}: nothing is said"
    if any(each != visible(each) for each in (out.getvalue() + err.getvalue()).split("\n")):
        yield f"{value[:100]!r}: it is printed as it is"


each_parameter: Final = pytest.mark.parametrize(("path", "parameter"), PARAMETERS, ids=_named)


@pytest.mark.usefixtures("nothing_starts")
@each_parameter
def test_no_hostile_value_of_an_option_ends_in_a_traceback(path: tuple[str, ...], parameter: click.Parameter) -> None:
    assert [each for value in FIXED for each in _objections(path, parameter, value)] == []


@pytest.mark.usefixtures("nothing_starts")
@each_parameter
@given(value=VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_value_of_an_option_ends_in_a_traceback(
    path: tuple[str, ...], parameter: click.Parameter, value: str
) -> None:
    assert list(_objections(path, parameter, value)) == []


@contextmanager
def _standard_input() -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b""))
    try:
        yield
    finally:
        sys.stdin = before


def test_every_option_of_every_command_is_tried() -> None:
    tried = {(*path, parameter.name) for path, parameter in PARAMETERS}
    assert {("rules", "what-if", "since"), ("traffic", "rate"), ("demo", "seed"), ("worker", "role")} <= tried
