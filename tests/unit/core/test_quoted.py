from __future__ import annotations

import pytest

from pipeline.core.quoted import ANY_KEY, PLAIN_VALUE, quoted_reader

read = quoted_reader(r"[a-z]{1,9}")
read_bare = quoted_reader(ANY_KEY, bare_value=PLAIN_VALUE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{'a':'b'}", {"a": "b"}),
        ('{"a":"b"}', {"a": "b"}),
        ("{'a':\"b\"}", {"a": "b"}),
        ("{\"a\":'b'}", {"a": "b"}),
        ("{\"a\" => 'b', 'c'=>\"d\"}", {"a": "b", "c": "d"}),
        ("{ 'a' : 'b' , 'c' : 'd' } ", {"a": "b", "c": "d"}),
        ("{'a':'it's'}", {"a": "it's"}),
        ("{'a':\"it's\",'c':'say \"hi\"'}", {"a": "it's", "c": 'say "hi"'}),
        (r"{'a':'it\'s','c':'\"d\"'}", {"a": "it's", "c": '"d"'}),
        (r"{'a':'b\\c','d':'\n'}", {"a": r"b\c", "d": r"\n"}),
        ("{'a':'b, c','d':'{e}'}", {"a": "b, c", "d": "{e}"}),
        ("{'a':'two\nlines'}", {"a": "two\nlines"}),
        ("{'a':''}", {"a": ""}),
        ("{'a':'b','a':'c'}", {"a": "c"}),
        ("{'a':'x','b' is not a key','c':'d'}", {"a": "x','b' is not a key", "c": "d"}),
    ],
)
def test_an_object_in_quotes_is_read(text: str, found: dict[str, str]) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "{}",
            "a",
            "{'a'}",
            "{'a':}",
            "{'a':'b'",
            "{'a':'b'}x",
            "{'a':'b',}",
            "{a:'b'}",
            "{'a':b}",
            "{'a':7}",
        ),
        *("{'A':'b'}", "{'a\":'b'}", " {'a':'b'}", "['a']", "{'a':\"b'}", "{'':'b'}"),
        "{" + " " * 10 + "'a':'b'}",
    ],
)
def test_any_other_text_is_left_alone(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{'a b': 7}", {"a b": "7"}),
        ("{'a': -7.5, 'b': 'c', 'd': True, 'e': false}", {"a": "-7.5", "b": "c", "d": "true", "e": "false"}),
        ("{'a': " + "7" * 100 + "}", {"a": "7" * 100}),
        ("{'a': 'x', 'b': 7}", {"a": "x", "b": "7"}),
        ("{'a': " + "7" * 101 + "}", None),
        ("{'a': None}", {"a": None}),
        ("{'a': null, 'b': nil, 'c': 'd'}", {"a": None, "b": None, "c": "d"}),
        ("{'a': 1e3}", None),
        ("{'a': [7]}", None),
    ],
)
def test_numbers_and_booleans_need_no_quotes_where_that_is_allowed(text: str, found: dict[str, str] | None) -> None:
    assert read_bare(text) == found


@pytest.mark.parametrize("piece", ["'", '"', "{'a':'", "','a':'", "','a", "\\'", " ", "'a':'b',", "':", "=>", "{", "7"])
def test_a_long_text_is_read_or_left_alone(piece: str) -> None:
    for start in ("{", "{'a':'", '{"a":"', "{'a': 7"):
        for end in ("", "'}", '"}', "}"):
            text = start + piece * (100_000 // len(piece)) + end
            for reader in (read, read_bare):
                found = reader(text)
                assert found is None or text.endswith("}")
