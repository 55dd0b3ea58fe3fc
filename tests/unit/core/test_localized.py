from __future__ import annotations

import orjson
import pytest

from pipeline.core.events import Event, decode
from pipeline.core.localized import texts_by_language
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from tests.builders import SEGMENT, BodyShape, RawMessage, encode, raw_event


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'en':'Flash Sale'}", {"en": "Flash Sale"}),
        ("{'en': 'Flash Sale', 'pt-BR': 'Oferta'}", {"en": "Flash Sale", "pt-BR": "Oferta"}),
        ("{'en':'It's on, it's on','de':'Los geht's'}", {"en": "It's on, it's on", "de": "Los geht's"}),
        ("{'en':'It\\'s on'}", {"en": "It's on"}),
        ('{"en":"Flash Sale","de":"Blitz"}', {"en": "Flash Sale", "de": "Blitz"}),
        ('{"en"=>"Flash \\"Sale\\"", "zh-Hans"=>"x"}', {"en": 'Flash "Sale"', "zh-Hans": "x"}),
        ("{ 'en' : '' }", {"en": ""}),
        ('{"en":"Hi","de":null}', {"en": "Hi"}),
        ("{'en': 'Hi', 'de': None}", {"en": "Hi"}),
        ('{"en"=>nil, "de"=>"Hallo"}', {"de": "Hallo"}),
        ('{"en":null}', {}),
        ('\n {"en":"Hi"} ', {"en": "Hi"}),
        ("{'en': \"Say 'a', 'b': twice\"}", {"en": "Say 'a', 'b': twice"}),
    ],
)
def test_a_localized_text_in_one_text_is_read(text: str, expected: dict[str, str]) -> None:
    assert texts_by_language(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Flash Sale",
        "{",
        "{}",
        "{{ user.name }}, look",
        "{'en':'Flash Sale'",
        "{'en':'Flash Sale'} today",
        "{'a word':'x'}",
        "{'en': \"Hi\", 'button': \"Buy\"}",
        "{'en': 'Hi', 'button': 'Buy'}",
        "{\"en\":'Hi',\"button\":'Buy'}",
        "{'no': \"42\", 'item': \"it's\"}",
        "{'no': '42', 'item': 'shoes'}",
        "{'en': 'Hi', 'count': 5, 'button': 'Buy'}",
        "{'button': None, 'en': 'Hi'}",
        '{"button":null,"en":"Hi"}',
        '{"en":"Hi","de":5}',
        '{"price": "10", "plan": "free"}',
        '{"en": 1}',
        "[1]",
        '{"en":"' + "x" * 10_000 + '"}',
        "{'en':'" + "','en':" * 1_000,
    ],
)
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert texts_by_language(text) is None


@pytest.mark.parametrize("shape", BodyShape)
@pytest.mark.parametrize(("language", "title"), [("de", "Blitz"), ("fr", "Flash Sale")])
def test_the_record_has_the_text_in_the_users_language_whatever_the_shape(
    shape: BodyShape, language: str, title: str
) -> None:
    event = raw_event(
        "message.push.clicked",
        message={"title": "{'en':'Flash Sale','de':'Blitz'}", "contents": '{"de":"Blitz","en":"Flash Sale"}'},
        user={"language": language},
    )
    value = encode(event, shape)
    assert isinstance(decode(value), Event)
    outcome = process(RawMessage(value=value), Policy(records=SEGMENT), STATELESS)
    assert isinstance(outcome, Deliver)
    properties = orjson.loads(outcome.record)["properties"]
    assert (properties["message_title"], properties["message_contents"]) == (title, title)
