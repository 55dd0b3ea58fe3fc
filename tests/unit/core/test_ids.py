from __future__ import annotations

import string
from typing import Final

import pytest

from pipeline.core.ids import DISALLOWED_IDS, EMPTY_IDS, NIL_UUID, EmptyIds, EmptyReason

REASONS: Final = {
    EmptyReason.BLANK: ["", " ", "\t\r\n", "\u00a0", "\u3000", "\x1c"],
    EmptyReason.NOTHING_LEFT: [
        *('""', "''", "()", "[ ]", "{ }", "<>", "\u00ab\u00bb", "\u3010\u3011", "(((", "]", '"', "`", "\u201c\u201d"),
        *("\0", "\x7f", "\u200b", "\u2060\ufeff", "\u00ad", "\u2800", "\u3164", "\ufe0f", "\U000e0100", "Optional()"),
        *("\uff02\uff07", "\u275d\u275e", "\u2e02\u2e05", "\uff40", "\u226a\u226b", "\uff1c\uff1e", "\u2065", "\ufff3"),
        *("Optional(Optional())", '(Optional(""))', "\u200e \u200f", "\U000e0041"),
    ],
    EmptyReason.WORD: [
        *(word for word in DISALLOWED_IDS if word and word not in {"[]", "{}", "0", "-1"}),
        *(
            "0",
            "-1",
            "(0)",
            " -1 ",
            "[-1]",
            "NULL",
            "Null",
            "nUlL",
            "N/A",
            "Anonymous",
            "ALL",
            "NaN",
            "TRUE",
            "[False]",
        ),
        *('"null"', "'null'", "\u2039null\u203a", "(((null)))", "{[(<null>)]}", "null)", "(null", '"null', "nil\0"),
        *("Optional(nil)", "OPTIONAL(null)", "Optional(Optional(none))", 'Optional("undefined")', "(Optional(null))"),
        *(
            "Optional( nil )",
            "\u2068null\u2069",
            f'"{NIL_UUID}"',
            f"{{{NIL_UUID}}}",
            "\uff08null\uff09",
            "\u2329null\u232a",
            "\uff02null\uff02",
            "\u275dnull\u275e",
            "\u2e1cnull\u2e1d",
            "\uff1cnull\uff1e",
            "\u226anull\u226b",
            "\U000e0001null\U000e0fff",
        ),
    ],
    EmptyReason.ZEROS: [
        *(
            "00",
            "0000000000000000",
            "0.0",
            "-0",
            "+0",
            "0,00",
            "0 0",
            "--",
            "-",
            "...",
            "?",
            "#",
            "***",
            "//",
            "0 ?",
        ),
        *(
            "\u2014",
            "\u2026",
            "\u00b7",
            "\u0660",
            "\uff10\uff10",
            "0\u200b0",
            "0\n0",
            "$",
            "0\u00a00",
            "(00)",
            "Optional(00)",
            "00-00",
        ),
        *("_", "=", "~", "|", "00000000-0000-0000-0000-000000000000-0", "0) (0", "\u055a"),
    ],
    EmptyReason.TEMPLATE: [
        *(
            "{{x}}",
            "{{ event.external_id }}",
            "{{{x}}}",
            "{{}}",
            "{{\n}}",
            "{%x%}",
            "{% if a %}",
            "{%%}",
            "${x}",
            "${}",
        ),
        *(' "{{ x }}" ', "'${x}'", "\u200b{{x}}\u200b", "\u201c{% x %}\u201d", "{{ a | default: '}' }}", "${ a.b }"),
        *("${{ event.external_id }}", "${a.${b}}", "${${x}}", "{{ {a:{b:1}} }}", "{{a{{b}}}}", "Optional({{ x }})"),
        *(' "${{ x }}" ', 'Optional( "${x}" )'),
    ],
    EmptyReason.OBJECT: [
        *("[object Object]", "[object Undefined]", "[Object Null]", "[OBJECT X]", "[object ]", "[object\tX]"),
        *('"[object Object]"', " [object Object]\n", "[object Object Object]"),
    ],
}
IDS: Final = [
    *(
        "null-island",
        "Nancy",
        "guest",
        "1",
        "{u-77}",
        'Optional("u-77")',
        " u 1 ",
        "u",
        "Z",
        "9",
        "01",
        "10",
        "-2",
        "1.0",
    ),
    *(
        "nullnull",
        "null null",
        "null null null",
        "(null) x",
        "x(null)",
        "nan-",
        "nano",
        "allah",
        "nones",
        "anony",
        "untrue",
    ),
    *(
        "0a",
        "0-1",
        "00000000-0000-0000-0000-000000000001",
        "a@b.example",
        "+49151",
        "O",
        "o",
        "l",
        "\u00e9",
        "\u0414",
        "\u4f60",
    ),
    *(
        "\U0001f600",
        "0\u00bd",
        "\u00b2",
        "\u0661",
        "{{x}",
        "{x}}",
        "{{x}} {{y}}",
        "{{x}}y",
        "y{{x}}",
        "({{x}})",
        "[{{x}}]",
    ),
    *("${a}-${b}", "${a}}", "{{a}b}", "{{a}}{{b}}", "(${{x}})", "Optional(({{x}}))"),
    *("${x", "$x", "$${x}", "{%x}", "{%x%}y", "[object]", "[objects X]", "object Object", "[object X", "([object X])"),
    *(
        "[object X] [object Y]",
        "Optional(u",
        "optional",
        "Optional(",
        "Optional",
        "nullOptional()",
        "Optional(x)",
        "\u0660x",
    ),
]
OWN: Final = EmptyIds(["guest", " (1) ", '"E-Mail"', "\u00dc", "{{ x }}", "Optional(test)", "", "()"])


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, texts in REASONS.items() for text in texts])
def test_an_id_is_empty_for_a_reason(reason: EmptyReason, text: str) -> None:
    assert EMPTY_IDS.reason(text) is reason
    assert OWN.reason(text) in {reason, EmptyReason.NOBODY} or text == "()"


@pytest.mark.parametrize("text", IDS)
def test_everything_else_is_an_id(text: str) -> None:
    assert EMPTY_IDS.reason(text) is None


@pytest.mark.parametrize(
    "text", ["guest", "GUEST", "(guest)", "1", '"1"', "e-mail", "<E-MAIL>", "\u00fc", "\u00dc", "test"]
)
def test_own_words_are_empty_too(text: str) -> None:
    assert OWN.reason(text) is EmptyReason.NOBODY
    assert EMPTY_IDS.reason(text) is None


@pytest.mark.parametrize("text", ["guests", "11", "12", "e-mails", "email", "\u00fc\u00fc", "tests", "a test"])
def test_what_begins_or_ends_like_an_own_word_is_an_id(text: str) -> None:
    assert OWN.reason(text) is None


def test_own_words_are_compared_without_what_is_around_them() -> None:
    assert EmptyIds(["guest", "GUEST", '("guest")', " Optional(guest) "]).own_words == {"guest"}
    assert EmptyIds().own_words == EMPTY_IDS.own_words == frozenset()


@pytest.mark.parametrize("empty_ids", [EMPTY_IDS, OWN, EmptyIds(["z", "9", "ab"]), EmptyIds(string.ascii_letters)])
@pytest.mark.parametrize(
    "text", [*IDS, *(text for texts in REASONS.values() for text in texts), "ab", "z", "9", "xx", "a9"]
)
def test_what_is_sure_is_an_id(empty_ids: EmptyIds, text: str) -> None:
    is_sure = text[:1] in empty_ids.sure_first or text[-1:] in empty_ids.sure_last or text[:2] in empty_ids.sure_start
    assert not is_sure or _reason_in_full(empty_ids, text) is None


@pytest.mark.parametrize("empty_ids", [EMPTY_IDS, OWN, EmptyIds(["z", "9", "ab"]), EmptyIds(string.ascii_letters)])
def test_every_id_of_two_characters_is_judged_as_in_full(empty_ids: EmptyIds) -> None:
    for first in string.printable:
        for second in string.printable:
            text = first + second
            assert (empty_ids.reason(text) is None) == (_reason_in_full(empty_ids, text) is None), text


def _reason_in_full(empty_ids: EmptyIds, text: str) -> EmptyReason | None:
    """Return the reason without the fast checks: quotes are stripped, so a quoted id has the same result."""
    return empty_ids.reason(f"\u2019{text}\u2019")


@pytest.mark.parametrize(
    "piece", ["{{", "{%", "${", "[object ", "(", "Optional(", '"', "\u200b", "0", "{", "{{}", "%}"]
)
def test_a_long_text_is_judged(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    for whole in (text, f"{text}x", f"x{text}", f"n{text}n", f"{text}u-77{text}"):
        assert EMPTY_IDS.reason(whole) is not EmptyReason.BLANK
