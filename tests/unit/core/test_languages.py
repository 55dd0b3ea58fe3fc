from __future__ import annotations

import pytest

from pipeline.core import languages
from pipeline.core.languages import ONESIGNAL_LANGUAGES, best_match, primary_language
from pipeline.core.localized import one_text

API = (
    "ar bg bs ca cs da de el en es et fa fi fr he hi hr hu id it ja ka ko lt lv ms nb nl pa pl pt ro ru sk sr sv th tr "
    "uk vi zh"
)


def test_the_languages_are_those_of_onesignal_s_api() -> None:
    assert set(API.split()) == ONESIGNAL_LANGUAGES


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("en_us", "en"),
        ("zh-Hant-TW", "zh"),
        ("zh_hans_CN", "zh"),
        ("es-419", "es"),
        ("fil", "fil"),
        ("iw", "he"),
        ("IN-id", "id"),
        ("no", "nb"),
        ("ji", "yi"),
        ("", None),
        ("e", None),
        ("engl", None),
        ("en-", None),
        ("-en", None),
        ("en--US", None),
        ("en-Latin", None),
        ("no-way", None),
        ("zh-cmn", None),
        ("\u00e9n", None),
        ("\u0435n", None),
        ("en\n", None),
        ("12", None),
    ],
)
def test_a_tag_has_a_language_or_is_none(tag: str, language: str | None) -> None:
    assert primary_language(tag) == language


@pytest.mark.parametrize(
    ("wanted", "offered", "match"),
    [
        ("de", ("en", "de"), "de"),
        ("de-DE-1996", ("en", "de"), "de"),
        ("de_DE.UTF-8", ("en", "de"), "de"),
        ("en-US-u-hc-h12", ("de", "en"), "en"),
        ("zh-cmn-Hans-CN", ("zh-Hant", "zh-Hans"), "zh-Hans"),
        ("zh-cmn-Hant", ("zh-Hans", "zh-Hant"), "zh-Hant"),
        ("zh-yue-HK", ("zh-Hans", "zh-Hant"), "zh-Hant"),
        ("zh-US", ("zh-Hans", "zh-Hant"), "zh-Hant"),
        ("zh-VN", ("zh-Hans", "en"), None),
        ("zh-MY", ("zh-Hant", "zh-Hans"), "zh-Hans"),
        ("sr-RU", ("sr", "sr-Latn"), "sr-Latn"),
        ("es-MX", ("es-ES", "es-419"), "es-419"),
        ("en-AU", ("en-US", "en-GB"), "en-GB"),
        ("de", (), None),
        ("de", ("en",), None),
        ("?", ("en", "de"), None),
        ("de", ("?", "de-", "de-AT"), "de-AT"),
        ("pt-PT", ("pt-BR", "pt", "pt-PT"), "pt-PT"),
        ("pt-PT", ("pt-BR", "pt", "pt-AO"), "pt"),
        ("pt-PT", ("pt-AO", "pt-BR"), "pt-BR"),
        ("pt-PT", ("pt-AO", "pt-MZ"), "pt-AO"),
        ("pt_pt", ("PT", "pt-Latn-PT"), "pt-Latn-PT"),
        ("sv", ("sv-FI", "sv-SE"), "sv-FI"),
        ("xx", ("XX-YY",), "XX-YY"),
        ("xx-Latn", ("xx",), None),
        ("zh", ("zh-TW",), None),
        ("zh-MO", ("zh-Hant",), "zh-Hant"),
        ("zh-SG", ("zh-Hant", "zh-Hans"), "zh-Hans"),
        ("pa-PK", ("pa", "pa-Arab"), "pa-Arab"),
        ("sr-ME", ("sr", "sr-Latn"), "sr-Latn"),
        ("de-" + "x" * 33, ("de",), None),
        ("de", ("e" * 36, "DE"), "DE"),
        ("de", (*(f"x{number}" for number in range(50)), "DE"), None),
        ("de", (*(f"x{number}" for number in range(49)), "DE"), "DE"),
    ],
)
def test_the_best_match_has_the_same_language_and_script(
    wanted: str, offered: tuple[str, ...], match: str | None
) -> None:
    assert best_match(wanted, offered) == match


def test_what_is_remembered_is_bound() -> None:
    languages._best_match.cache_clear()
    for number in range(2_000):
        best_match("de", (f"x{number}", "de-AT"))
    assert languages._best_match.cache_info().currsize == 1_024


def test_an_exact_key_is_not_looked_for() -> None:
    languages._best_match.cache_clear()
    assert one_text({"de": "Hallo", "en": "Hi"}, "de") == "Hallo"
    assert one_text({"de": "Hallo", "en": "Hi"}, "en") == "Hi"
    assert languages._best_match.cache_info().misses == 0
    assert one_text({"de": "Hallo", "en": "Hi"}, "fr") == "Hi"
    assert languages._best_match.cache_info().misses == 1
