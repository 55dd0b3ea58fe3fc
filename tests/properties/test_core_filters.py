from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.events import Event, decode
from pipeline.core.filters import FilterBook, Rules, in_sample
from pipeline.core.identity import identify
from pipeline.core.indexes import names_matcher
from pipeline.core.kinds import Kind, kind_of
from pipeline.core.mistakes import RulesError
from pipeline.core.rules import Clause, Condition, Decision, Rule, SampleBy, Verdict
from pipeline.core.rules_file import parse_rules
from tests.builders import SEGMENT, encode
from tests.properties.core_strategies import decisions, events, patterns, percents, rule_lists

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.core.record_builders import RecordBuilders

# The simplest implementation, with which the compiled rules must agree.
PLAIN: Final[dict[Condition, Callable[[Any, Kind], str]]] = {
    Condition.KIND: lambda _event, kind: kind.name,
    Condition.CHANNEL: lambda _event, kind: kind.channel.value,
    Condition.ACTION: lambda _event, kind: kind.action.value,
    Condition.CATEGORY: lambda _event, kind: kind.category.value,
    Condition.ANONYMOUS: lambda event, _kind: str(event["event"]["external_id"] in {"", "null"}).lower(),
    Condition.APP_ID: lambda event, _kind: event["event"]["app_id"],
    Condition.TEMPLATE_ID: lambda event, _kind: event["message"]["template_id"],
    Condition.MESSAGE_ID: lambda event, _kind: event["message"]["id"],
    Condition.DEVICE_TYPE: lambda event, _kind: event["event"]["subscription_device_type"].lower(),
    Condition.LANGUAGE: lambda event, _kind: event["user"]["language"].lower(),
}
TAG_TEXTS: Final = {"free": "free", "premium": "premium", 5: "5", True: "true", 1.5: "1.5"}


def holds(clause: Clause, event: Any, kind: Kind, records: RecordBuilders) -> bool:
    if clause.condition is Condition.MTU:
        return records.mtu_class(kind).value in clause.values
    if clause.condition is Condition.TAG:
        tags = event["user"]["tags"]
        return clause.tag in tags and TAG_TEXTS[tags[clause.tag]] in clause.values
    if clause.condition is Condition.MESSAGE_NAME:
        name = event["message"]["name"]
        return name != "" and any(fnmatch.fnmatchcase(name, pattern) for pattern in clause.values)
    return PLAIN[clause.condition](event, kind) in clause.values


def first_match(
    rules: list[Rule], default: Decision, event: Any, records: RecordBuilders
) -> tuple[int | None, Decision]:
    kind = kind_of(event["event"]["kind"])
    for number, rule in enumerate(rules):
        if not rule.shadow and all(holds(clause, event, kind, records) for clause in rule.when):
            return number, rule.then
    return None, default


def shadows_that_would_decide(rules: list[Rule], default: Decision, event: Any, records: RecordBuilders) -> list[int]:
    """Return the shadow rules that decide when each is made active alone."""
    lit = [
        [replace(other, shadow=other.shadow and index != shadow) for index, other in enumerate(rules)]
        for shadow in range(len(rules))
    ]
    indexes = [index for index, rule in enumerate(rules) if rule.shadow]
    return [index for index in indexes if first_match(lit[index], default, event, records)[0] == index]


@given(rule_lists, decisions, st.lists(events(), min_size=1, max_size=5), st.sampled_from([SEGMENT, MixpanelRecords()]))
def test_compiled_rules_decide_as_plain_ones(
    rules: list[Rule], default: Decision, asked: list[Any], records: RecordBuilders
) -> None:
    compiled = Rules(rules=tuple(rules), default=default, filename="rules.yaml")
    book = FilterBook(compiled, records.mtu_class)
    reported = [warning.message.split()[1] for warning in compiled.warnings]
    never = {index for index in range(len(rules)) if str(index + 1) in reported}
    for raw in asked:
        event = decode(encode(raw))
        assert isinstance(event, Event)
        kind = kind_of(event.event.kind)
        compiled_filter = book.filter_for(kind, anonymous=identify(event).user_id is None)
        ruling = compiled_filter.ruling(event)
        assert (ruling.rule, ruling.decision) == first_match(rules, default, raw, records)
        shadows = compiled_filter.shadows_before(ruling, event)
        assert list(shadows) == shadows_that_would_decide(rules, default, raw, records)
        if kind.known:
            assert not {ruling.rule, *shadows} & never


@given(st.text(alphabet="ab*?[]!-^\\.+(|", max_size=12), st.text(alphabet="ab*?[]!-^\\.+(|\n", max_size=12))
def test_a_pattern_matches_what_fnmatch_matches(pattern: str, name: str) -> None:
    assert names_matcher([pattern])(name) == fnmatch.fnmatchcase(name, pattern)


@given(st.frozensets(patterns, min_size=1), st.text(alphabet="Pproma-1xy*[]", max_size=9))
def test_several_patterns_match_what_any_of_them_matches(several: frozenset[str], name: str) -> None:
    assert names_matcher(several)(name) == any(fnmatch.fnmatchcase(name, pattern) for pattern in several)


@settings(max_examples=25)
@given(percents, st.integers(0, 10**9), st.sampled_from(SampleBy))
def test_a_sample_is_as_large_as_it_says(percent: float, start: int, by: SampleBy) -> None:
    decision, size = Decision(Verdict.SAMPLE, percent, by), 2_000
    kept = sum(in_sample(decision, b"u-%d" % number, f"u-{number}") for number in range(start, start + size))
    # Five standard deviations: by chance this fails once in two million runs.
    allowed = 5 * (size * percent / 100 * (1 - percent / 100)) ** 0.5
    assert abs(kept - size * percent / 100) <= allowed


@given(st.binary(max_size=40), st.text(max_size=40), percents, percents)
def test_a_sample_is_within_every_larger_one(key: bytes, message_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    in_small, in_large = (in_sample(Decision(Verdict.SAMPLE, size), key, message_id) for size in (small, large))
    assert in_large or not in_small


yaml_pieces = st.sampled_from(
    [
        "rules:",
        "\n",
        "\n  - ",
        "\n    ",
        "when: ",
        "then: ",
        "keep",
        "drop",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "action",
        "sent",
        "&a ",
        "*a",
        "<<",
        "!x ",
        "'",
        '"',
        "\t",
        "#",
        "---",
        "|",
        "null",
        "no",
        "5",
        "\u2028",
        "\x07",
        "? ",
        "%",
        "sample",
        "percent",
        "tag",
        "default: ",
    ],
)


@given(st.text(max_size=60) | st.lists(yaml_pieces, max_size=25).map("".join))
def test_any_text_is_rules_or_a_list_of_mistakes(text: str) -> None:
    found = read(text)
    if isinstance(found, RulesError):
        lines = [mistake.line for mistake in found.mistakes]
        assert lines
        assert lines == sorted(lines)
        assert all(1 <= line <= len(text) + 1 for line in lines)
    else:
        assert found.version


def read(text: str) -> Rules | RulesError:
    try:
        return parse_rules(text, filename="rules.yaml")
    except RulesError as error:
        return error
