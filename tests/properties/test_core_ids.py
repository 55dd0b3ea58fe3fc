"""Empty ids: an id that no rule matches is sent unchanged, and the fast checks never disagree with the rules."""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.ids import EMPTY_IDS, EmptyIds
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from tests.body_forms import BodyForm, encoded, outcome_of, record_of
from tests.builders import SEGMENT, raw_event

if TYPE_CHECKING:
    from collections.abc import Collection

    from hypothesis.strategies import SearchStrategy

# The oracle is the simplest implementation of the rules as documented, independent of the code under test.
WORDS: Final = (
    *(
        "anon",
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "<nil>",
        "0",
        "-1",
        "true",
        "false",
    ),
    *("[]", "{}", "nan", "all", "00000000-0000-0000-0000-000000000000"),
)
QUOTES: Final = (
    "\"'`\u00b4\u201a\u201e\u2032\u2033"  # and the characters that open and close quotations in Unicode
    "\u275b\u275c\u275d\u275e\u275f\u2760\u301d\u301e\u301f\uff02\uff07\uff40"
)
ANGLES: Final = "<>\u226a\u226b\ufe64\ufe65\uff1c\uff1e"
UNSEEN: Final = (  # characters that Unicode allows a renderer to omit, and the Braille blank
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
TEMPLATES: Final = (("{{", "}}"), ("{%", "%}"), ("${", "}"))


def around(text: str, taken: Any) -> str:
    while text and taken(text[0]):
        text = text[1:]
    while text and taken(text[-1]):
        text = text[:-1]
    return text


def is_space(character: str) -> bool:
    is_control = unicodedata.category(character) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
    return character.isspace() or is_control or re.fullmatch(UNSEEN, character) is not None


def is_soft(character: str) -> bool:
    return is_space(character) or character in QUOTES or unicodedata.category(character) in {"Pi", "Pf"}


def is_bracket(character: str) -> bool:
    return unicodedata.category(character) in {"Ps", "Pe"} or character in ANGLES


def bare(text: str) -> str:
    """Return an id without surrounding white space, invisible characters, quotes, brackets and `Optional(…)`."""
    before = None
    while text != before:
        before, text = text, around(text, is_soft)
        if text[:9].casefold() == "optional(" and text.endswith(")"):
            text = text[9:-1]
        else:
            text = around(text, lambda each: is_soft(each) or is_bracket(each))
    return text


def is_one_template(text: str) -> bool:
    inner, before = around(text, is_soft), None
    while inner != before:
        before = inner
        if inner[:9].casefold() == "optional(" and inner.endswith(")"):
            inner = around(inner[9:-1], is_soft)
    if is_one_pair_of_braces(inner):
        return True
    for start, end in TEMPLATES:
        if inner.startswith(start) and inner.endswith(end) and len(inner) >= len(start + end):
            middle = inner[len(start) : -len(end)]
            middle = middle.lstrip("{").rstrip("}") if start == "{{" else middle
            return end not in middle
    return re.fullmatch(r"\[object\s[^\]]*\]", inner, re.IGNORECASE) is not None


def is_one_pair_of_braces(text: str) -> bool:
    """Return whether the last character, and none before it, closes the opening brace of a template."""
    start = text.find("{")
    if not (text.startswith("${") or (text.startswith("{{") and text.endswith("}}"))):
        return False
    depths = list(accumulate({"{": 1, "}": -1}.get(each, 0) for each in text[start:]))
    return depths[-1] == 0 and min(depths[:-1]) > 0


def is_empty(text: str, own_words: Collection[str] = ()) -> bool:
    core = bare(text)
    folded = core.casefold()
    words = {bare(word).casefold() for word in (*WORDS, *own_words)} - {""}
    return not core or folded in words or is_one_template(text) or all(map(is_hollow, core))


def is_hollow(character: str) -> bool:
    category = unicodedata.category(character)
    return (
        unicodedata.decimal(character, 1) == 0 or is_soft(character) or category[0] == "P" or character in "$+<=>^`|~"
    )


def has_solid(text: str) -> bool:
    return any(each.isalpha() or each in "123456789" for each in text)


plain_words = st.sampled_from([*WORDS, "guest", "email", "u-77", "1", "Nancy", "null-island"])
cased = plain_words.flatmap(lambda word: st.sampled_from([word, word.upper(), word.title(), word.swapcase()]))
wrapping = st.text(
    st.sampled_from(
        [
            *QUOTES,
            *ANGLES,
            *" \t\n\u00a0\u200b\ufeff\u2060\u2065\u2018\u201d\u00bb\u2e02\u2e1d",
            *"()[]{}\u3010\u3011\uff08\uff09",
        ]
    ),
    max_size=4,
)
wrapped = st.builds("{}{}{}".format, wrapping, cased, wrapping)
templates = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "u", " "]),
    st.sampled_from(["{{", "{%", "${", "[object "]),
    st.text("ab .{}$%]0", max_size=8),
    st.sampled_from(["}}", "%}", "}", "]", "]x"]),
)
optional = (wrapped | templates).map(lambda text: f"Optional({text})")
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
ascii_text = st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=6)
texts: SearchStrategy[str] = st.one_of(wrapped, templates, optional, any_text, ascii_text, cased)
forms = st.sampled_from(BodyForm)


@given(text=texts, form=forms)
@example(text="\u0660x", form=BodyForm.NESTED)
@example(text="Optional(u-77)", form=BodyForm.SNAKE)
@example(text="[object]", form=BodyForm.AVRO)
def test_an_id_with_a_letter_or_a_digit_that_no_rule_names_goes_out_unchanged(text: str, form: BodyForm) -> None:
    if not has_solid(text) or is_empty(text):
        return
    event = raw_event(external_id=text, app_id=text, onesignal_id=text, message={"id": text, "template_id": text})
    found = outcome_of(encoded(event, form), form)
    record = record_of(found)
    properties = record["properties"]
    assert (record["userId"], record["context"]["onesignal"]["app_id"], found.ignored) == (text, text, ())
    assert [properties[name] for name in ("campaign_id", "template_id")] == [text, text]
    assert text.startswith("local-") or properties["onesignal_id"] == text
    anonymous = outcome_of(encoded(raw_event(external_id="", subscription_id=text), form), form)
    assert record_of(anonymous)["anonymousId"] == text


@given(text=texts, form=forms)
def test_an_id_that_a_rule_names_is_empty(text: str, form: BodyForm) -> None:
    if not is_empty(text):
        return
    found = outcome_of(encoded(raw_event(external_id=text, subscription_id="s-1"), form), form)
    assert record_of(found)["anonymousId"] == "s-1"
    assert [each.text for each in found.ignored] == ([] if not text.strip() else [text])


@given(text=texts, own=st.frozensets(cased.filter(bare) | wrapped.filter(bare), max_size=3))
def test_an_id_is_empty_by_the_rules_and_the_own_words_alone(text: str, own: frozenset[str]) -> None:
    assert (EmptyIds(own).reason(text) is not None) == is_empty(text, own)
    assert (EMPTY_IDS.reason(text) is not None) == is_empty(text)


@given(text=texts, own=st.frozensets(ascii_text | any_text, max_size=3))
def test_what_is_settled_fast_is_settled_right(text: str, own: frozenset[str]) -> None:
    for empty_ids, words in ((EMPTY_IDS, frozenset[str]()), (EmptyIds(own), own)):
        if text[0] in empty_ids.sure_first or text[-1] in empty_ids.sure_last or text[:2] in empty_ids.sure_start:
            assert not is_empty(text, words)


@given(text=wrapped, own=st.frozensets(cased.filter(bare), min_size=1, max_size=3), form=forms)
def test_configured_words_are_empty_ids_in_any_form(text: str, own: frozenset[str], form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(external_id=text), form), form, Policy(records=SEGMENT, nobody_ids=own))
    assert isinstance(found, Deliver)
    assert ("userId" in record_of(found)) != is_empty(text, own)


@given(words=st.lists(cased.filter(bare), max_size=4), seed=st.randoms(use_true_random=False))
def test_the_version_does_not_depend_on_the_order_of_the_own_words(words: list[str], seed: Any) -> None:
    mixed = [*words]
    seed.shuffle(mixed)
    respelled = [f'("{word.upper()}")' for word in mixed]
    versions = {Policy(records=SEGMENT, nobody_ids=frozenset(each)).version for each in (words, mixed, respelled)}
    assert len(versions) == 1
