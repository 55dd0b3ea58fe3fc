"""The user's language, and texts by language in one string."""

from __future__ import annotations

from typing import Final

import pytest

from tests.body_forms import BodyForm, encoded, outcome_of, properties_of
from tests.builders import raw_event

forms = pytest.mark.parametrize("form", BodyForm)

# The user's language, the languages of a text, and the language that is chosen.
PICKED_NOW: Final = (
    ("zh-CN", "zh-Hans zh-Hant en", "zh-Hans"),
    ("zh_CN", "zh-Hant zh-Hans en", "zh-Hans"),
    ("zh", "zh-Hant zh-Hans en", "zh-Hans"),
    ("zh-Hans-CN", "en zh-Hans", "zh-Hans"),
    ("zh-TW", "zh-Hans zh-Hant en", "zh-Hant"),
    ("zh-HK", "en zh-Hant", "zh-Hant"),
    ("ZH_hant_tw", "en zh-Hans zh-Hant", "zh-Hant"),
    ("zh-Hans", "en zh-TW zh-CN", "zh-CN"),
    ("zh-Hant", "en zh-CN zh_TW", "zh_TW"),
    ("pt-BR", "en pt", "pt"),
    ("pt", "en pt-BR", "pt-BR"),
    ("pt-PT", "en pt-BR", "pt-BR"),
    ("PT", "en pt", "pt"),
    ("de_AT", "en DE", "DE"),
    ("en-GB", "de en-US", "en-US"),
    ("es-419", "en es", "es"),
    ("iw", "en he", "he"),
    ("he", "en iw", "iw"),
    ("in", "en id", "id"),
    ("id-ID", "en in", "in"),
    ("no", "en nb", "nb"),
    ("nb-NO", "en no", "no"),
    ("sr-Cyrl", "en sr", "sr"),
    ("sr-Latn", "en sr-ME", "sr-ME"),
)
ENGLISH_AS_BEFORE: Final = (
    ("zh-TW", "zh-Hans en", "en"),
    ("zh-Hant", "zh en", "en"),
    ("zh-CN", "zh-TW en", "en"),
    ("sr-Latn", "sr en", "en"),
    ("uk", "ru en", "en"),
    ("da", "nb no en", "en"),
    ("nb", "da sv en", "en"),
    ("ca", "es en", "en"),
    ("gl", "pt es en", "en"),
    ("xx", "de en", "en"),
    *((malformed, "de en", "en") for malformed in ("-", "_", "d", "-de", "123", "x" * 999, "{{ l }}")),
    ("de", "en -de 123", "en"),
)
EXACT_AS_BEFORE: Final = (
    ("de", "en de", "de"),
    ("no", "nb no en", "no"),
    ("PT_br", "pt-BR PT_br en", "PT_br"),
    ("tlh", "en tlh", "tlh"),
    ("pt-PT", "en pt-BR pt-PT pt", "pt-PT"),
    ("weird key", "en weird,key", "en"),
)


@forms
@pytest.mark.parametrize("field", ["title", "contents"])
@pytest.mark.parametrize(("language", "keys", "picked"), PICKED_NOW)
def test_a_text_in_the_user_s_language_is_found(
    language: str, keys: str, picked: str, field: str, form: BodyForm
) -> None:
    event = raw_event(message={field: {key: f"in {key}" for key in keys.split()}}, user={"language": language})
    found = properties_of(outcome_of(encoded(event, form), form))
    assert (found[f"message_{field}"], found["language"]) == (f"in {picked}", language)


@forms
@pytest.mark.parametrize(("language", "keys", "picked"), [*ENGLISH_AS_BEFORE, *EXACT_AS_BEFORE])
def test_another_language_is_no_substitute(language: str, keys: str, picked: str, form: BodyForm) -> None:
    event = raw_event(message={"title": {key: f"in {key}" for key in keys.split()}}, user={"language": language})
    found = properties_of(outcome_of(encoded(event, form), form))
    assert (found["message_title"], found["language"]) == (f"in {picked}", language)


@forms
@pytest.mark.parametrize("language", ["de-", "de--AT", "de-\u00e4", "de\n", "de_DE.UTF-8", "de-DE-1996", "de-x-\u00e4"])
def test_a_malformed_tag_breaks_nothing(language: str, form: BodyForm) -> None:
    event = raw_event(message={"title": {"de": "Hallo", "en": "Hi"}}, user={"language": language})
    assert properties_of(outcome_of(encoded(event, form), form))["message_title"] in {"Hallo", "Hi"}
    event = raw_event(message={"title": {language: "Hallo", "en": "Hi"}}, user={"language": "de"})
    assert properties_of(outcome_of(encoded(event, form), form))["message_title"] in {"Hallo", "Hi"}


@forms
@pytest.mark.parametrize("key", ["EN", "en-US", "en_GB", "en-GB"])
def test_english_is_found_however_it_is_spelled(key: str, form: BodyForm) -> None:
    event = raw_event(message={"title": {"de": "Hallo", key: "Hi"}}, user={"language": "fr"})
    assert properties_of(outcome_of(encoded(event, form), form))["message_title"] == "Hi"


@pytest.mark.parametrize("language", ["zh-CN", "zh_CN"])
def test_it_is_found_where_languages_have_keys_of_their_own(language: str) -> None:
    body = (
        '{"event.kind":"message.push.sent","external_id":"u","message.title.en":"Hi","message.title.zh-Hans":"\u4f60\u597d",'
        f'"user.language":"{language}"}}'
    )
    assert properties_of(outcome_of(body.encode(), BodyForm.DOTTED))["message_title"] == "\u4f60\u597d"


# A text, and the part of it that a user with the language de gets.
READ_NOW: Final = (
    ("""{'en': "It's on"}""", "It's on"),
    ("""{"en": 'Say "hi"'}""", 'Say "hi"'),
    ("""{'en': "It's on", 'de': 'Los "geht" es'}""", 'Los "geht" es'),
    ("""{"en":'a', 'de':"b"}""", "b"),
    ("""{"en"=>'Say "hi"'}""", 'Say "hi"'),
    ("""{'de': "Los, 'en' ist hier"}""", "Los, 'en' ist hier"),
    ('{"iw":"\u05e9\u05dc\u05d5\u05dd","zh_Hant_TW":"\u4f60\u597d","de-AT":"Servus"}', "Servus"),
    ("{'zh-Hans-CN': '\u4f60\u597d', 'en_US': 'Hi'}", "Hi"),
)
STAYS_TEXT: Final = (
    '{"id":"42","to":"orders"}',
    "{'id':'42','to':'orders'}",
    '{"id":"42"}',
    "{'id': '42'}",
    '{"to":"orders"}',
    '{"xx":"a","yy":"b"}',
    '{"or":"a"}',
    '{"is":"a","on":"b"}',
    '{"de":"a","to":"b"}',
    '{"id":"42","eo":"b"}',
)
TEXT_AS_BEFORE: Final = (
    '{"en":"Hi","button":"Buy"}',
    '{"en":"Hi","cta":{"id":"b"}}',
    '{"en":1}',
    "{}",
    "{'en': 'Hi'",
    "{'en'}",
    '{"orders":"42"}',
    "{ 'en' 'Hi' }",
    "{{ name }} is on",
)
READ_AS_BEFORE: Final = (
    ("""{"en"=>"It's on"}""", "It's on"),
    ('{"en":"Hi"}', "Hi"),
    ("{'en':'Hi','de':'Hallo'}", "Hallo"),
    ('{"id":"Halo","de":"Hallo"}', "Hallo"),
    ('{"id":"Halo","en":"Hi"}', "Hi"),
    ('{"de":"Hallo","fr":"Salut"}', "Hallo"),
    ('{"to":"orders","en":"Hi"}', "Hi"),
)


@forms
@pytest.mark.parametrize("field", ["title", "contents"])
@pytest.mark.parametrize(("text", "shown"), [*READ_NOW, *READ_AS_BEFORE])
def test_a_string_with_a_text_for_each_language_is_read(text: str, shown: str, field: str, form: BodyForm) -> None:
    event = raw_event(message={field: text}, user={"language": "de"})
    assert properties_of(outcome_of(encoded(event, form), form))[f"message_{field}"] == shown


@forms
@pytest.mark.parametrize("field", ["title", "contents"])
@pytest.mark.parametrize("text", [*STAYS_TEXT, *TEXT_AS_BEFORE])
def test_a_string_that_merely_looks_so_stays_text(text: str, field: str, form: BodyForm) -> None:
    event = raw_event(message={field: text}, user={"language": "de"})
    assert properties_of(outcome_of(encoded(event, form), form))[f"message_{field}"] == text


ONESIGNAL_LANGUAGES: Final = (
    *("ar", "bg", "bs", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hr", "hu", "it"),
    *("ja", "ka", "ko", "lt", "lv", "ms", "nb", "nl", "pa", "pl", "pt", "ro", "ru", "sk", "sr", "sv", "th", "tr", "uk"),
    *("vi", "zh"),
)
"""The languages of OneSignal's API except `id`, which is the key of an id when it is the only key."""


@forms
@pytest.mark.parametrize("key", [*ONESIGNAL_LANGUAGES, "iw", "no", "zh-Hans", "pt_BR"])
def test_every_language_of_onesignal_will_do(key: str, form: BodyForm) -> None:
    event = raw_event(message={"title": f"{{'{key}': 'x'}}"}, user={"language": "de"})
    assert properties_of(outcome_of(encoded(event, form), form))["message_title"] == "x"


@forms
def test_a_title_that_is_an_object_needs_no_languages(form: BodyForm) -> None:
    event = raw_event(message={"title": {"id": "42", "to": "orders"}})
    assert properties_of(outcome_of(encoded(event, form), form))["message_title"] == "42"
