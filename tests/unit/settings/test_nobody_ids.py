from __future__ import annotations

import pytest

from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.policy import build_policy, nobody_ids
from pipeline.settings import SettingsError, load_settings


def mistakes(**variables: str) -> list[str]:
    try:
        load_settings({f"PIPELINE_{name}": value for name, value in variables.items()})
    except SettingsError as error:
        return [mistake.text for mistake in error.mistakes]
    return []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, set()),
        ("", set()),
        (" ", set()),
        ("guest", {"guest"}),
        ("guest,1,email", {"guest", "1", "email"}),
        (" guest , 1 , a b ", {"guest", "1", "a b"}),
        ("null,GUEST,(x)", {"null", "GUEST", "(x)"}),
        ("-,00", {"-", "00"}),
    ],
)
def test_own_words_are_separated_by_commas(value: str | None, words: set[str]) -> None:
    settings = load_settings({} if value is None else {"PIPELINE_NOBODY_IDS": value})
    assert nobody_ids(settings) == words
    assert build_policy(settings, SEGMENT).nobody_ids == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a,,b", "there is nothing between two commas"),
        (",", "there is nothing between two commas"),
        ("a,", "there is nothing between two commas"),
        ("a, ,b", "there is nothing between two commas"),
        ("()", "`()` is nothing without its quotes and brackets"),
        ("a,''", "`''` is nothing without its quotes and brackets"),
    ],
)
def test_a_word_that_is_nothing_is_a_mistake(value: str, words: str) -> None:
    (found,) = mistakes(NOBODY_IDS=value)
    assert found.startswith("PIPELINE_NOBODY_IDS is ")
    assert words in found
    assert "`guest,1,email`" in found


def test_it_is_listed_with_all_other_mistakes() -> None:
    found = mistakes(NOBODY_IDS="a,,b", NAME_PROFILE="mine", STATUS_PORT="no")
    assert len(found) == 3
    assert {text.split()[0] for text in found} == {
        "PIPELINE_NOBODY_IDS",
        "PIPELINE_NAME_PROFILE",
        "PIPELINE_STATUS_PORT",
    }


def test_the_policy_s_version_changes_with_the_words_and_not_with_their_order() -> None:
    def version(value: str) -> str:
        return build_policy(load_settings({"PIPELINE_NOBODY_IDS": value} if value else {}), SEGMENT).version

    assert version("guest,1") == version("1, guest") == version("GUEST,(1),'guest'")
    assert len({version(""), version("guest"), version("1"), version("guest,1")}) == 4
