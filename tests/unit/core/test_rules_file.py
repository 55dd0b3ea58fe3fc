from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core import rules_mistakes
from pipeline.core.mistakes import RulesError
from pipeline.core.rules import DROP, KEEP, Clause, Condition, Decision, SampleBy, Verdict
from pipeline.core.rules_file import parse_rules

DECISIONS = "known are `keep`, `drop`, `tracked_only`, `{sample: {percent: 10, by: user}}`"
EXAMPLES = Path(__file__).parents[3] / "schemas" / "rules"


def mistakes(text: str) -> list[str]:
    with pytest.raises(RulesError) as raised:
        parse_rules(text, filename="r.yaml")
    return str(raised.value).splitlines()


def test_every_part_of_a_file_is_read() -> None:
    rules = parse_rules((EXAMPLES / "valid" / "every-condition.yaml").read_text(encoding="utf-8"), filename="r.yaml")
    assert (rules.default, rules.filename, rules.warnings) == (KEEP, "r.yaml", ())
    assert [rule.name for rule in rules.rules[:2]] == ["receipts are always worth it", "test apps"]
    assert [rule.line for rule in rules.rules] == [5, 11, 15, 19, 28]
    assert [rule.then for rule in rules.rules] == [
        KEEP,
        DROP,
        DROP,
        Decision(Verdict.SAMPLE, 12.5, SampleBy.EVENT),
        Decision(Verdict.SAMPLE, 10.0, SampleBy.USER),
    ]
    assert rules.rules[2].when == (
        Clause(
            Condition.KIND,
            frozenset({"message.iam.impression", "message.iam.page_displayed", "message.push.received"}),
        ),
        Clause(Condition.ANONYMOUS, frozenset({"true"})),
    )
    assert Clause(Condition.LANGUAGE, frozenset({"no", "pt-br"})) in rules.rules[3].when
    assert rules.rules[4].when[1:] == (
        Clause(Condition.TAG, frozenset({"free", "trial"}), "plan"),
        Clause(Condition.TAG, frozenset({"1.50"}), "level"),
        Clause(Condition.TAG, frozenset({"true"}), "vip"),
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("valid/*.yaml")), ids=lambda path: path.stem)
def test_a_valid_example_is_read_without_warnings(path: Path) -> None:
    assert parse_rules(path.read_text(encoding="utf-8"), filename=path.name).warnings == ()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("invalid/*.yaml")), ids=lambda path: path.stem)
def test_an_invalid_example_has_the_mistakes_that_are_written_beside_it(path: Path) -> None:
    with pytest.raises(RulesError) as raised:
        parse_rules(path.read_text(encoding="utf-8"), filename=path.name)
    assert f"{raised.value}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_yaml_1_1_words_are_texts() -> None:
    rules = parse_rules((EXAMPLES / "valid" / "no-is-norwegian.yaml").read_text(encoding="utf-8"), filename="r.yaml")
    assert rules.rules[0].when == (
        Clause(Condition.LANGUAGE, frozenset({"no"})),
        Clause(Condition.TAG, frozenset({"off"}), "on"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: []\n" + "#" * 262_144, "r.yaml:1: the file has more than 262,144 characters"),
        ("rules: " + "[" * 5000, "r.yaml:1: values are nested too deeply"),
        ("rules: " + "[" * 50 + "]" * 50, "r.yaml:1: values are nested too deeply"),
        (
            'rules: [{name: "\\U00110000", then: keep}]',
            "r.yaml:1: an escape stands for a character that does not exist; correct it",
        ),
        (
            'rules: [{name: "\\UFFFFFFFF", then: keep}]',
            "r.yaml:1: an escape stands for a character that does not exist; correct it",
        ),
        (
            'rules:\n  - {name: "a\\uD800", then: keep}',
            "r.yaml:2: an escape from \\uD800 to \\uDFFF is half of a surrogate pair; write the character itself",
        ),
        (
            'rules:\n  - {"\\uDFFF": a, then: keep}',
            "r.yaml:2: an escape from \\uD800 to \\uDFFF is half of a surrogate pair; write the character itself",
        ),
        ("rules:\n" + "  - then: keep\n" * 1001, "r.yaml:1: `rules` has more than 1,000 items"),
        (
            f"rules:\n  - when: {{message_id: [{'a, ' * 1001}]}}\n    then: keep\n",
            "r.yaml:2: `message_id` has more than 1,000 items",
        ),
        (
            f"rules:\n  - name: {'x' * 501}\n    then: keep\n",
            "r.yaml:2: `name` has more than 500 characters",
        ),
        (
            f"rules:\n  - {'k' * 70}: 1\n    then: keep\n",
            f"r.yaml:2: unknown key `{'k' * 60}…`; known are `name`, `when`, `then`, `shadow`",
        ),
        ("rules: {}", "r.yaml:1: `rules` must be a list, not a mapping"),
        ("rules: []\ndefault:\n", f"r.yaml:2: `default` has no value; {DECISIONS}"),
        ("rules: []\ndefault: xyz\n", f"r.yaml:2: unknown decision `xyz`; {DECISIONS}"),
        ("rules:\n  - then: snet\n", f"r.yaml:2: unknown decision `snet`; {DECISIONS}"),
        (
            "rules: []\ndefault: sampel\n",
            "r.yaml:2: unknown decision `sampel`; "
            "a sample needs a percentage: write `default: {sample: {percent: 10, by: user}}`",
        ),
        (
            "rules:\n  - when: {tag: {plan: {a: b}}}\n    then: keep\n",
            "r.yaml:2: `plan` must be text or a number or true or false, not a mapping",
        ),
        ("rules:\n  - when: {tag: {}}\n    then: keep\n", "r.yaml:2: `tag` is empty; write a value or delete the key"),
        (
            "rules:\n  - when: {anonymous: maybe}\n    then: keep\n",
            "r.yaml:2: `anonymous` must be true or false, not `maybe`",
        ),
        ("rules: [\ta", "r.yaml:1: found character tab that cannot start any token; indent with spaces"),
        (
            "%YAML 9\n---\n",
            "r.yaml:1: expected a digit or '.', but found '\\n'; "
            "look at the indentation, brackets and quotes here and above",
        ),
    ],
)
def test_a_mistake_is_told_clearly(text: str, expected: str) -> None:
    assert mistakes(text) == [expected]


def test_a_mistake_keeps_its_place_and_words_apart() -> None:
    with pytest.raises(RulesError) as raised:
        parse_rules("rules:\n  - when: {action: snet}\n    then: drop\n", filename="my rules.yaml")
    (mistake,) = raised.value.mistakes
    assert (mistake.file, mistake.line) == ("my rules.yaml", 2)
    assert (mistake.message, mistake.suggestion) == ("unknown action `snet`", "did you mean `sent`?")


def test_decisions_are_told_in_words() -> None:
    decisions = [KEEP, DROP, Decision(Verdict.SAMPLE, 12.5, SampleBy.EVENT), Decision(Verdict.SAMPLE, 10)]
    assert [str(decision) for decision in decisions] == [
        "keep",
        "drop",
        "sample 12.5 % by event",
        "sample 10 % by user",
    ]


def test_of_thousands_of_mistakes_the_first_are_told_and_only_they_are_put_into_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suggested: list[str] = []
    monkeypatch.setattr(rules_mistakes, "did_you_mean", lambda word, _: suggested.append(word))
    lines = mistakes("rules:\n" + "- {thn: drop}\n" * 9_000)
    assert len(lines) == 21
    assert lines[20] == "r.yaml: 17,981 more mistakes"
    assert len(suggested) <= 20


def test_mistakes_are_told_in_the_order_of_their_lines() -> None:
    lines = mistakes("rules:\n" + "- {thn: drop, thn: drop}\n" * 15)
    numbers = [int(line.split(":")[1]) for line in lines[:20]]
    assert numbers == sorted(numbers)
    assert lines[20] == "r.yaml: 25 more mistakes"


def test_a_file_is_read_no_further_than_it_may_have_values() -> None:
    """Each value takes a kilobyte, so nothing after the last allowed value is read."""
    assert mistakes("rules: [" + "a,\n" * 50_000 + "}") == ["r.yaml:49998: there are more than 50,000 keys and values"]
    (mistake,) = mistakes("".join(f"{number}: 1\n" for number in range(25_000)) + "}")
    assert mistake == "r.yaml:25000: there are more than 50,000 keys and values"
