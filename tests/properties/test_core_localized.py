"""Texts by language that arrive as one text."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.languages import ONESIGNAL_LANGUAGES
from pipeline.core.localized import texts_by_language

tags = st.builds("{}{}".format, st.sampled_from(sorted(ONESIGNAL_LANGUAGES)), st.sampled_from(["", "-DE", "_Latn"]))
any_tag = st.from_regex(r"[a-z]{2,3}(-[A-Z]{2}|-[A-Z][a-z]{3})?", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\"), max_size=20)


by_languages_of_onesignal = st.dictionaries(tags, words, min_size=1, max_size=4).filter(
    lambda texts: [*texts] != ["id"]
)
with_english = st.dictionaries(any_tag, words, max_size=3).map(lambda texts: {**texts, "en": "Hi"})


@given(texts=by_languages_of_onesignal | with_english)
def test_what_json_writes_is_read_back(texts: dict[str, str]) -> None:
    assert texts_by_language(orjson.dumps(texts).decode()) == texts


@given(
    texts=by_languages_of_onesignal | with_english,
    colon=st.sampled_from([":", ": ", "=>", " => "]),
    comma=st.sampled_from([",", ", "]),
)
def test_texts_in_single_quotes_are_read_back(texts: dict[str, str], colon: str, comma: str) -> None:
    plain = {language: words.replace("'", "\u2019") for language, words in texts.items()}
    text = "{" + comma.join(f"'{language}'{colon}'{words}'" for language, words in plain.items()) + "}"
    assert texts_by_language(text) == plain


@given(
    texts=by_languages_of_onesignal,
    quotes=st.lists(st.sampled_from("'\""), min_size=8, max_size=8),
    colon=st.sampled_from([":", " => "]),
)
def test_keys_and_values_may_have_either_quote(texts: dict[str, str], quotes: list[str], colon: str) -> None:
    members, expected = [], {}
    for index, (language, words) in enumerate(texts.items()):
        key, value = quotes[2 * index], quotes[2 * index + 1]
        expected[language] = words.replace(value, "\u2019")
        members.append(f"{key}{language}{key}{colon}{value}{expected[language]}{value}")
    assert texts_by_language("{" + ", ".join(members) + "}") == expected


@given(text=st.text("{}':,=>\"\\ende-_ \n", max_size=60).map(lambda text: "{" + text) | st.text(max_size=30))
def test_any_text_is_read_or_left_alone(text: str) -> None:
    found = texts_by_language(text)
    assert found is None or (text.startswith("{") and all(isinstance(each, str) for each in found.values()))
