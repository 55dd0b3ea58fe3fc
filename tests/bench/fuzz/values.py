"""Odd values for the fields of an event, and values that only look odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


class Token(str):
    """A JSON value as it is encoded, such as `1e3`."""

    __slots__ = ()


EMPTY_WORDS: Final = (
    *("anon", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "0", "-1", "true", "false"),
    *("nan", "all"),
)
_ENCLOSED: Final = (
    *("<{}>", "({})", "[{}]", "{{{}}}", '"{}"', "'{}'", "`{}`", "\u201c{}\u201d", "\u00ab{}\u00bb", "\u2018{}\u2019"),
    *("Optional({})", 'Optional("{}")', "Optional(Optional({}))", "[[{}]]", "({}", "{}]", " {} ", "\t{}\n", "{} "),
    *("\ufeff{}", "{}\u200b", "\u2060{}\u00ad", "\u00a0{}\u3000", "\u300c{}\u300d", "<[{}]>", "{}\u0000"),
)
_NOTHING: Final = (
    *("", " ", "\t", "\u200b", "\ufeff", '""', "''", "[]", "{}", "()", "<>", "[[]]", '{""}', "Optional()", "\u0000"),
    *("00", "000", "0.0", "0000-0000", "--", "-", "_", ".", "...", "?", "/", "0,0", "-0", "*", "0" * 32),
    "00000000-0000-0000-0000-000000000000",
)
_TEMPLATES: Final = (
    *("{{ event.external_id }}", "{{external_id}}", "{% if user %}", "${user.id}", "{{}}", "[object Object]"),
    *("[object Undefined]", "[OBJECT OBJECT]", " {{ user.id }} ", '"{{ user.id }}"', "{{ user['id'] }}", "${}"),
)
_IDS: Final = (
    *("null-island", "Nancy", "guest", "1", "{u-77}", 'Optional("u-77")', " u 1 ", "email", "nan1", "all-in", "Allen"),
    *("nullable", "none of us", "01", "0x0", "-2", "10", "1.0", "true story", "N/A7", "user {{ id }}", "a{{b}}"),
    *("object Object", "[object", "[7]", "<u-7>", "(u)", "'u-7'", "u-7 ", "u\u200b7", "u\u00007", "\u00fcnal"),
    *("\u7528\u62377", "jo@mail.example", "local-17", "u-1001", "u-1002", "{{u", "$u", "0a", "a0", "-x-", "NaNa"),
)
_BLANK_WORDS: Final = (*("null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]"),)
_NOT_BLANK: Final = (
    *(
        "Null",
        "NULL",
        "none",
        "NONE",
        "nil",
        "NAN",
        " null",
        "null ",
        "nullnull",
        "(nil)",
        "n/a",
        "Undefined",
        "0",
        "all",
    ),
    *("[object object]", "{{ title }}", "<None>", "true", "-1", "000", "Hello", "It's", '"null"', "null island"),
)
_WHOLE: Final = (
    *("7", "12345.0", "1e3", "1.5", "12345.5", "1.1e20", "-5", "0", "-0", "0.0", "1E2", "9007199254740993.0"),
    *("9007199254740992.0", "9007199254740991.0", "18446744073709551615", "18446744073709551616", "5e-1", "1e22"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e15", "12345678901234567890123.0"),
)
_ODD_TYPES: Final = (
    *("null", "true", "false", "[]", "{}", "[1]", '{"a":1}', '["u-9"]', '""', '" "', "[[]]", '{"id":"u-9"}', "[null]"),
)
WORDS: Final = (
    "Hello",
    "Flash Sale",
    "It's on",
    'say "hi"',
    "\u00fcber",
    "\U0001f600 up",
    "a, b",
    "x: y",
    "caf\u00e9",
    "",
)


def odd_id(chance: Random) -> str:
    """Draw an id that is empty by some rule, or one that only looks empty."""
    kind = chance.randrange(8)
    if kind < 2:
        return in_some_case(chance, chance.choice(EMPTY_WORDS))
    if kind == 2:
        return chance.choice(_NOTHING)
    if kind == 3:
        return chance.choice(_TEMPLATES)
    if kind == 4:
        return chance.choice(_ENCLOSED).format(in_some_case(chance, chance.choice(EMPTY_WORDS)))
    if kind == 5:
        return chance.choice(_ENCLOSED).format(chance.choice((*_NOTHING, *_IDS)))
    return chance.choice(_IDS)


def odd_text(chance: Random) -> str:
    """Draw a text that means no value, or one that only looks like it."""
    return chance.choice(_BLANK_WORDS if chance.randrange(2) else _NOT_BLANK)


def odd_number(chance: Random) -> Token:
    """Draw a number for a field that is a text."""
    kind = chance.randrange(4)
    if kind == 0:
        return Token(chance.choice(_WHOLE))
    if kind == 1:
        return Token(digits(chance, chance.choice((99, 100, 101, 150, 308, 400))))
    sign = "-" if chance.randrange(8) == 0 else ""
    return Token(sign + digits(chance, chance.randint(15, 40)))


def odd_type(chance: Random) -> Token:
    """Draw a value of a type that the field does not have."""
    return Token(chance.choice(_ODD_TYPES))


def digits(chance: Random, count: int) -> str:
    """Draw an integer with this many digits."""
    return str(chance.randint(10 ** (count - 1), 10**count - 1))


def in_some_case(chance: Random, word: str) -> str:
    """Change the letter case of a word, or leave it."""
    kind = chance.randrange(6)
    if kind == 0:
        return word.upper()
    if kind == 1:
        return word.title()
    return word.swapcase() if kind == 2 else word


def some_text(chance: Random) -> str:
    """Draw an ordinary text in any alphabet."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(WORDS)
    if kind == 1:
        return "".join(
            chance.choice("ab \u00e9\u4e2d\U0001f680'\"\\/{}[]:,=>\u2028\u0007") for _ in range(chance.randrange(12))
        )
    return " ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 4)))


def pick(chance: Random, values: Sequence[str], *, at_most: int) -> list[str]:
    """Draw one or some different values."""
    return chance.sample(values, min(chance.randint(1, at_most), len(values)))
