"""Localized texts that came as one text."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.localized import texts_by_language

languages = st.from_regex(r"[a-z]{2,3}(-[A-Z]{2}|-[A-Z][a-z]{3})?", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\"), max_size=20)
plain = words.map(lambda text: text.replace("'", "\u2019"))


@given(texts=st.dictionaries(languages, words, min_size=1, max_size=4))
def test_what_json_writes_is_read_back(texts: dict[str, str]) -> None:
    assert texts_by_language(orjson.dumps(texts).decode()) == texts


@given(
    texts=st.dictionaries(languages, plain, min_size=1, max_size=4),
    colon=st.sampled_from([":", ": ", "=>", " => "]),
    comma=st.sampled_from([",", ", "]),
)
def test_what_stands_in_single_quotes_is_read_back(texts: dict[str, str], colon: str, comma: str) -> None:
    text = "{" + comma.join(f"'{language}'{colon}'{words}'" for language, words in texts.items()) + "}"
    assert texts_by_language(text) == texts


@given(text=st.text("{}':,=>\"\\ende-_ \n", max_size=60).map(lambda text: "{" + text) | st.text(max_size=30))
def test_any_text_is_read_or_left_alone(text: str) -> None:
    found = texts_by_language(text)
    assert found is None or (text.startswith("{") and all(isinstance(each, str) for each in found.values()))
