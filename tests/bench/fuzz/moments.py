"""Times, languages and kinds in many spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.bench.fuzz.values import Token, in_some_case, odd_text, some_text

if TYPE_CHECKING:
    from random import Random

_SECOND: Final = 1_767_225_600
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIMES: Final = (
    *("{s}", "{s}.25", "{s}.120", "{ms}", "{us}", "{ns}", "{e}", "{s}e0", "1.767225600E9", "17672256e2", "{ms}.0"),
    *("1.767225600120e12", "1.767225600120456e15", "1.767225600120456789e18", "1e9", "1E+9", "2e18"),
    *("0", "-5", "1", "2024", "1708559", "9999999", "10000000", "99999999", "100000000", "100000001", "20260101"),
    *("20261301", "20260101.0", "20260101.5", "2.0260101e7", "253402300799", "253402300799999", "253402300800000"),
    *("253402300799999999", "253402300800000000", "99999999999", "100000000000", "1e300", "9" * 19, "9" * 21, "1e-3"),
)
_TEXTS: Final = (
    *("{day}", "{day}T00:00:00", "{day}T00:00:00.120", "{day} 00:00:00.500", "{day}T00:00:00Z", "{day}T00:00:00.120Z"),
    *("{day}T00:00:01.120", "{day}T01:00:00+01:00", "{day} 00:00:00 UTC", "{day} 00:00:00.1 UTC", "{day}T02:00:00"),
    *("Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 02 Jan 2026 10:11:12 GMT", "Thu, 01 Jan 2026 00:00:00", "soon", ""),
    *("Thu, 32 Jan 2026 00:00:00 GMT", "20260101T101500Z", "20260101T101500", "2026-W01-4", "2026-02-30", "1_000"),
    *("Thu, 01 Foo 2026 00:00:00 GMT", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "null", " "),
)
_TAGS: Final = (
    *(
        "en",
        "de",
        "fr",
        "pt",
        "pt-BR",
        "pt-PT",
        "pt_BR",
        "zh",
        "zh-CN",
        "zh-TW",
        "zh-HK",
        "zh-SG",
        "zh-Hans",
        "zh-Hant",
    ),
    *("zh_hans", "ZH-HANT", "zh-Hant-TW", "zh-Hans-CN", "EN", "en-US", "en_GB", "de-AT", "DE", "iw", "he", "in", "id"),
    *("no", "nb", "nb-NO", "nn", "da", "sv", "uk", "ru", "ca", "es", "es-419", "es-MX", "he-IL", "id-ID", "iw-IL"),
)
_ODD_TAGS: Final = (
    *(
        "",
        " ",
        "x",
        "english",
        "e n",
        "en-",
        "-",
        "en--US",
        "de_DE.UTF-8",
        "eng",
        "klingon-x",
        "a-b-c-d",
        "en-US-POSIX",
    ),
    *("\u00fc", "zz", "und", "*", "en,de", "x-private", "de-DE-1996", "sr", "sr-Latn", "sr-RS", "1", "nan", "null"),
)
_KINDS: Final = (
    *("message.push.sent", "message.push.received", "message.push.clicked", "message.push.failed"),
    *("message.push.unsubscribed", "message.iam.impression", "message.iam.clicked", "message.iam.page_displayed"),
    *("message.email.sent", "message.email.received", "message.email.opened", "message.email.clicked"),
    *("message.email.unsubscribed", "message.email.reported_as_spam", "message.email.bounced"),
    *("message.email.failed", "message.email.suppressed", "message.sms.sent", "message.sms.delivered"),
    *("message.sms.failed", "message.sms.undelivered", "message.live_activity.sent"),
    *("message.live_activity.delivered", "message.live_activity.clicked", "message.live_activity.failed"),
    *("message.push received", "message.iam.displayed", "message.iam.pagedisplayed", "message.email.resporedasspam"),
    *("message.email.hardbounced", "message.email.supressed"),
)
_NO_KINDS: Final = (
    *("message.fax.sent", "message.sms.opted_out", "message.push.clicked!", "message.push.click", "push.clicked"),
    *(
        "message/push/clicked",
        "message.push.clicked2",
        "jo@mail.example",
        "Order Completed",
        "x",
        "message",
        "...",
        "-",
    ),
    *("message.push:clicked", "message.pushclicked\u0000", "message.p\u00fcsh.clicked", "message.push.cl\u200bicked"),
)
_SEPARATORS: Final = ("", " ", "_", "-", ".", " . ", "\t", "..", "\u00a0")


def odd_time(chance: Random) -> str:
    """Draw a time, as number or text."""
    if chance.randrange(2):
        second = _SECOND + chance.choice((0, 0, 0, 1, 86_399))
        text = chance.choice(_TIMES).format(
            s=second,
            ms=second * 1_000 + 120,
            us=second * 1_000_000 + 120_456,
            ns=second * 1_000_000_000 + 120_456_789,
            e=f"{second / 1e9:.12f}e9",
        )
        return Token(text) if chance.randrange(2) else text
    return chance.choice(_TEXTS).format(day=chance.choice(("2026-01-01", "2026-01-01", "2026-01-02")))


def odd_language(chance: Random) -> str:
    """Draw a language tag, sometimes a malformed one."""
    return chance.choice(_ODD_TAGS if chance.randrange(5) == 0 else _TAGS)


def odd_texts(chance: Random) -> dict[str, Any]:
    """Draw a text for each of some languages."""
    texts: dict[str, Any] = {}
    for _ in range(chance.randint(1, 4)):
        text = odd_text(chance) if chance.randrange(5) == 0 else some_text(chance)
        texts[odd_language(chance)] = text
    if chance.randrange(2):
        texts["en"] = some_text(chance)
    if chance.randrange(12) == 0:
        texts[chance.choice(("en", "de"))] = Token(
            chance.choice(("1", "null", "[]", '{"a":"b"}', "123456789012345678901"))
        )
    return texts


def localized_text(chance: Random) -> str:
    """Draw an object with a text for each language, encoded as one text; or a text that only starts like one."""
    keys = chance.choice(
        (
            *(
                ("en",),
                ("en", "de"),
                ("de", "fr"),
                ("id",),
                ("id", "to"),
                ("id", "it"),
                ("en", "to"),
                ("to",),
                ("pt-BR",),
            ),
            *(
                ("zh-Hans", "zh-Hant", "en"),
                ("iw", "en_US"),
                ("in",),
                ("no",),
                ("price", "en"),
                ("a", "en"),
                ("EN", "De"),
            ),
            *(
                ("en", "x y"),
                ("ka",),
                ("eo",),
                ("zh_TW",),
                ("sr-Latn-RS",),
                ("url", "id"),
                ("name",),
                ("de-AT", "en-GB"),
            ),
        )
    )
    colon = chance.choice((":", ": ", "=>", " => ", " : "))
    style = chance.randrange(6)
    parts = []
    for key in keys:
        first, second = (
            ("'", "'") if style < 2 else ('"', '"') if style < 4 else chance.choice((("'", '"'), ('"', "'")))
        )
        if style == 5:
            first, second = chance.choice("'\""), chance.choice("'\"")
        text = chance.choice(
            (
                "Hi",
                "It's on",
                "42",
                "orders",
                'say "hi"',
                "",
                " ",
                "a, b",
                "null",
                "caf\u00e9",
                "x': 'y",
                "{}",
                "don\\'t",
            )
        )
        parts.append(f"{first}{key}{first}{colon}{second}{text}{second}")
    text = "{" + chance.choice((",", ", ")).join(parts) + "}"
    kind = chance.randrange(24)
    if kind == 0:
        return text[:-1]
    if kind == 1:
        return text + " today"
    return chance.choice((" " + text, "{{ title }}", '{"en": 1}', "{}", "{")) if kind == 2 else text


def some_kind(chance: Random) -> str:
    """Draw a known kind, mostly in its canonical spelling."""
    return chance.choice(_KINDS)


def odd_kind(chance: Random) -> str:
    """Draw a kind in another spelling, or an unknown one."""
    if chance.randrange(5) == 0:
        return chance.choice(_NO_KINDS)
    kind = chance.choice(_KINDS)
    one = chance.choice(_SEPARATORS)
    for old in chance.choice((".", "_", ". ", "._")):
        kind = kind.replace(old, one if chance.randrange(3) else chance.choice(_SEPARATORS))
    if chance.randrange(4) == 0:
        position = chance.randrange(len(kind) + 1)
        kind = kind[:position] + chance.choice((" ", "\n", "-", "_", ".", "!", "s", "\u3000")) + kind[position:]
    return in_some_case(chance, kind)
