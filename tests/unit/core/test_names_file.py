from __future__ import annotations

import pytest

from pipeline.core.mistakes import RulesError
from pipeline.core.names_file import parse_names


def test_kinds_in_any_spelling_get_names() -> None:
    text = 'message.push.sent: My push\n"message.push received": 2024\nmessage.email.hardbounced: No\n'
    assert parse_names(text, filename="names.yaml") == {
        "message.push.sent": "My push",
        "message.push.received": "2024",
        "message.email.bounced": "No",
    }


def test_every_mistake_is_named_with_its_line() -> None:
    text = f"""\
message.push.snt: Sent
message.push.clicked:
message.email.bounced: Bounced
message.email.hardbounced: Bounced again
message.sms.sent: [SMS]
message.sms.failed: "  "
message.sms.delivered: {"x" * 201}
message.email.sent: A
message.email.sent: B
"""
    with pytest.raises(RulesError) as raised:
        parse_names(text, filename="names.yaml")
    assert str(raised.value).splitlines() == [
        "names.yaml:1: unknown kind `message.push.snt`; did you mean `message.push.sent`?",
        "names.yaml:2: `message.push.clicked` needs a name, as text",
        "names.yaml:4: `message.email.hardbounced` is the same kind as `message.email.bounced`; keep one of them",
        "names.yaml:5: `message.sms.sent` needs a name, as text",
        "names.yaml:6: `message.sms.failed` needs a name, as text",
        "names.yaml:7: the name of `message.sms.delivered` has more than 200 characters",
        "names.yaml:9: duplicate key `message.email.sent`, first in line 8; keep one of them",
    ]


def test_a_list_is_not_a_names_file() -> None:
    with pytest.raises(RulesError, match="must be a mapping from kinds to names"):
        parse_names("- a\n", filename="names.yaml")


def test_of_thousands_of_mistakes_the_first_are_told_and_the_others_counted() -> None:
    text = "".join(f"message.psh.{number}: x\n" for number in range(10_000))
    with pytest.raises(RulesError) as raised:
        parse_names(text, filename="names.yaml")
    lines = str(raised.value).splitlines()
    assert len(lines) == 21
    assert lines[19].startswith("names.yaml:20: unknown kind `message.psh.19`")
    assert lines[20] == "names.yaml: 9,980 more mistakes"
    assert raised.value.more == 9_980


def test_a_kind_is_quoted_shortened_and_without_what_steers_a_terminal() -> None:
    with pytest.raises(RulesError) as raised:
        parse_names('"\\e[2J\\u202E' + "k" * 200 + '": x', filename="names.yaml")
    assert str(raised.value) == f"names.yaml:1: unknown kind `\\x1b[2J\\u202e{'k' * 55}…`"


RESERVED = frozenset({"$app_open", "$campaign_open"})


def test_a_reserved_name_may_be_used_only_where_the_destination_allows_it() -> None:
    text = 'message.push.clicked: $app_open\nmessage.sms.sent: $1 off\n"message.push.sent": "  $identify"\n'
    with pytest.raises(RulesError) as raised:
        parse_names(text, filename="names.yaml", reserved=RESERVED)
    assert str(raised.value).splitlines() == [
        "names.yaml:2: the destination reserves the name `$1 off`; allowed are `$app_open`, `$campaign_open`",
        "names.yaml:3: the destination reserves the name `  $identify`; allowed are `$app_open`, `$campaign_open`",
    ]


def test_a_misspelt_reserved_name_gets_a_suggestion() -> None:
    with pytest.raises(RulesError, match=r"did you mean `\$app_open`\?"):
        parse_names("message.push.clicked: $app_opened", filename="names.yaml", reserved=RESERVED)


def test_a_destination_that_reserves_no_names_takes_any() -> None:
    assert parse_names("message.push.sent: $identify", filename="names.yaml") == {"message.push.sent": "$identify"}
