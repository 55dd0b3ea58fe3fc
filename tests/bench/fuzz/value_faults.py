"""Faults in the values of an event's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bench.fuzz import moments, values
from tests.bench.fuzz.values import Token

if TYPE_CHECKING:
    from random import Random

    from tests.bench.fuzz.drafts import Draft

ID_PATHS: Final = (
    *("event.external_id", "event.external_id", "event.external_id", "user.external_id", "event.id", "event.id"),
    *("event.subscription_id", "event.onesignal_id", "user.onesignal_id", "message.id", "message.id"),
    *("message.template_id", "event.app_id"),
)
_DETAILS: Final = (
    *("event.data.page_name", "event.data.page_id", "event.data.target_name", "event.data.target_id"),
    *("event.data.failure_reason", "event.data.live_activity_id", "event.data.live_activity_type"),
)
TEXT_PATHS: Final = (
    *("message.name", "message.title", "message.contents", "message.url", "user.language"),
    *("event.subscription_device_type", *_DETAILS, "message.live_activity_event_kind"),
)
_TIME_PATHS: Final = ("event.timestamp", "event.datetime")
_URLS: Final = (
    *(
        "https://app.example/a?q=1",
        "https://web.example/w#x",
        "",
        " ",
        "null",
        "shop://deep/link",
        "mailto:jo@mail.example",
    ),
    *("https://shop.example/jo@mail.example", "tel:+4915112345678", "undefined", "https://x.example/" + "y" * 2048),
)
_DEVICES: Final = (
    *(
        "iOS",
        "Android",
        "Huawei",
        "Amazon",
        "Email",
        "SMS",
        "ChromePush",
        "Chrome",
        "Safari",
        "ios",
        "ANDROID",
        "",
        "null",
    ),
)
_CATALOGUE_IDS: Final = ("m-1", "m-2", "m-3", "m-4", "null", "nan", "all", "[null]", "000", "m-9")


def ids(draft: Draft, chance: Random) -> None:
    for path in values.pick(chance, ID_PATHS, at_most=3):
        draft.facts[path] = values.odd_id(chance)
    if chance.randrange(2):
        draft.facts.setdefault("user.external_id", chance.choice(("u-2002", "", "null", "nan")))
    if chance.randrange(6) == 0:
        key = chance.choice(
            ("external_id", "event.external_id", "event_external_id", "EXTERNAL_ID", "user_external_id")
        )
        draft.add(key, values.odd_id(chance), first=chance.randrange(2) == 0)


def texts(draft: Draft, chance: Random) -> None:
    for path in values.pick(chance, TEXT_PATHS, at_most=4):
        draft.facts[path] = values.odd_text(chance) if chance.randrange(4) else values.some_text(chance)
    if chance.randrange(8) == 0:
        draft.facts["event.kind"] = values.odd_text(chance)


def numbers(draft: Draft, chance: Random) -> None:
    for path in values.pick(chance, (*ID_PATHS, *TEXT_PATHS), at_most=3):
        draft.facts[path] = values.odd_number(chance)
    if chance.randrange(3) == 0:
        draft.facts["user.tags"] = {
            "plan": values.odd_number(chance),
            "level": chance.choice(("7", Token("7"), Token("1.50"))),
        }
    if chance.randrange(3) == 0:
        number = values.odd_number(chance)
        draft.facts["message.contents"] = chance.choice((f"{number}", f'"{number}', f": {number},", f"\\{number}"))


def controls(draft: Draft, chance: Random) -> None:
    draft.raw_controls = True
    for path in values.pick(chance, (*ID_PATHS, *TEXT_PATHS, "event.kind", *_TIME_PATHS), at_most=2):
        text = draft.facts.get(path)
        text = text if isinstance(text, str) and not isinstance(text, Token) else values.some_text(chance)
        position = chance.randrange(len(text) + 1)
        draft.facts[path] = (
            text[:position] + chance.choice(("\n", "\r\n", "\t", "\x00", "\x1f", "\x01", "\x0c")) + text[position:]
        )


def times(draft: Draft, chance: Random) -> None:
    kind = chance.randrange(4)
    if kind != 1:
        draft.facts["event.timestamp"] = moments.odd_time(chance)
    if kind:
        draft.facts["event.datetime"] = moments.odd_time(chance)
    if kind == 3 or chance.randrange(4) == 0:
        for name in ("timestamp", "datetime"):
            if chance.randrange(2):
                draft.add(name, moments.odd_time(chance), first=chance.randrange(2) == 0)
                if chance.randrange(3):
                    draft.facts[f"event.{name}"] = chance.choice(("", None, "null", " "))
            elif chance.randrange(2):
                draft.facts.pop(f"event.{name}", None)


def kinds(draft: Draft, chance: Random) -> None:
    draft.facts["event.kind"] = moments.odd_kind(chance)


def languages(draft: Draft, chance: Random) -> None:
    draft.facts["user.language"] = moments.odd_language(chance)
    for path in ("message.title", "message.contents"):
        if chance.randrange(3):
            draft.facts[path] = moments.odd_texts(chance)


def localized(draft: Draft, chance: Random) -> None:
    for path in values.pick(chance, ("message.title", "message.contents"), at_most=2):
        draft.facts[path] = moments.localized_text(chance)
    if chance.randrange(2):
        draft.facts["user.language"] = moments.odd_language(chance)


def nothing_characters(draft: Draft, chance: Random) -> None:
    for path in values.pick(chance, (*ID_PATHS, *TEXT_PATHS, "event.kind"), at_most=2):
        text = draft.facts.get(path)
        text = text if isinstance(text, str) and text else values.some_text(chance)
        position = chance.choice((0, len(text), chance.randrange(len(text) + 1)))
        draft.facts[path] = text[:position] + "\x00" * chance.randint(1, 2) + text[position:]


def event_id(draft: Draft, chance: Random) -> None:
    inner = chance.choice(("e-1", "0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69", "a b", "x" * 100, "x" * 101, "\u00e9", "nan"))
    before, after = (chance.choice(("", " ", "\n", "\t ", "\u00a0", "\u200b", "\u3000")) for _ in range(2))
    draft.facts["event.id"] = before + inner + after


def tags(draft: Draft, chance: Random) -> None:
    draft.facts["user.tags"] = chance.choice(
        (
            *(
                '{"plan":"free"}',
                "{'plan':'free'}",
                "{'plan': 'free', 'level': '7'}",
                '{"level":7,"vip":true}',
                '{"plan":',
            ),
            *(
                "plan=free",
                "",
                "null",
                "{}",
                '["plan"]',
                '{"plan":{"a":1}}',
                '{"plan":"free","plan":"premium"}',
                "{'plan'",
            ),
            *('{"level":12345678901234567890123}', '{"plan"=>"free"}', "{'plan':'it's free'}", "{\"plan\":'free'}"),
            *(
                {"plan": "free"},
                {"level": Token("12345678901234567890123")},
                {"vip": True, "x": None},
                [],
                None,
                Token("5"),
            ),
            *({"plan": "null"}, {"plan": "free\x00"}, {"level": Token("1e3")}, {"level": Token("7.0")}),
        )
    )


def urls(draft: Draft, chance: Random) -> None:
    draft.facts["message.url"] = chance.choice(("", "", None, " ", "null", "https://shop.example/new-year"))
    for name in ("app_url", "web_url"):
        if chance.randrange(4):
            draft.facts[f"message.{name}"] = chance.choice(_URLS)
    draft.facts["event.subscription_device_type"] = chance.choice(_DEVICES)


def live_activities(draft: Draft, chance: Random) -> None:
    draft.facts["event.kind"] = chance.choice(("message.live_activity.sent", "message.live_activity.clicked"))
    draft.facts["event.data.live_activity_id"] = "la-1"
    draft.facts["message.live_activity_event_kind"] = chance.choice(
        ("start", "update", "end", "", "null", " ", Token("7"))
    )


def late(draft: Draft, chance: Random) -> None:
    """Build a late engagement for which the catalogue may know more."""
    draft.facts["event.kind"] = chance.choice(("message.push.clicked", "message.email.opened"))
    draft.facts["message.id"] = chance.choice(_CATALOGUE_IDS)
    for name in ("name", "title", "contents", "url", "template_id"):
        draft.facts[f"message.{name}"] = chance.choice(("", "", None, "null", "undefined"))
    draft.facts["user.language"] = moments.odd_language(chance)


def wrong_types(draft: Draft, chance: Random) -> None:
    paths = (*ID_PATHS, *TEXT_PATHS, *_TIME_PATHS, "event.kind", "user.tags")
    for path in values.pick(chance, paths, at_most=2):
        draft.facts[path] = values.odd_type(chance)


def half_emoji(draft: Draft, chance: Random) -> None:
    path = chance.choice(("message.contents", "message.title", "message.name", "event.external_id", "event.id"))
    raw = chance.choice(
        ("cut \\ud83d", "\\ud83d\\ude00 \\udc00", "\\ud83dx", "\\\\ud83d", "line\nand \\ud83d", "\\uD83D\\u0041")
    )
    draft.facts[path] = Token(f'"{raw}"')


def long_texts(draft: Draft, chance: Random) -> None:
    if chance.randrange(20) == 0:
        draft.facts["message.contents"] = chance.choice(("x", "\u00fc ", "\n")) * chance.randint(15_000, 34_000)
    else:
        draft.facts[chance.choice(TEXT_PATHS)] = values.some_text(chance) * chance.randint(1, 60)
