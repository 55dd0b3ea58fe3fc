"""Remove from free text what can identify a person."""

from __future__ import annotations

import re
from typing import Final

_REMOVED: Final = "[removed]"
_LONGEST_REASON: Final = 500
_LONGEST_DETAIL_BYTES: Final = 200
_LONGEST_URL: Final = 2048

# Repetitions are bounded and texts are cut first, so the time is bounded for any text.
_ADDRESSES: Final = re.compile(r"""[^\s<>()\[\]"',;:/?=]{1,64}(?:@|%40)[^\s<>()\[\]"',;:/?]{1,255}""")
_LONG_WORDS: Final = re.compile(r"[A-Za-z0-9_:\-]{32,}")
_PHONE_NUMBERS: Final = re.compile(r"\+?\(?[0-9](?:[\s().\-]{0,2}[0-9]){6,}")
_PERSONAL_SCHEMES: Final = re.compile(r"\s*(?:tel|sms|smsto|mms|mailto|callto|facetime|whatsapp|sip):", re.IGNORECASE)
_OF_NUMBERS: Final = "+0123456789 ().-"
_WEB: Final = "https://"
_INTERNATIONAL_NUMBERS: Final = re.compile(r"(?:\+|%2B)[0-9][0-9().\-]{6,20}", re.IGNORECASE)
_PERSONAL_ID: Final = re.compile(r"@|%40|://|\A\s*\+[0-9]|\b(?![0-9]+\b)[A-Za-z0-9_:\-]{45,}")


def clean_reason(text: str) -> str:
    """Return the first 500 characters of a reason, with addresses, phone numbers and tokens replaced.

    The reason that a mail server gives for a failure often quotes the failed address.
    """
    cleaned = text[:_LONGEST_REASON]
    # Tokens come before phone numbers, which would match only the first digits of a token.
    for marks in (_ADDRESSES, _LONG_WORDS, _PHONE_NUMBERS):
        cleaned = marks.sub(_REMOVED, cleaned)
    return cleaned


def clean_detail(text: str) -> str:
    """Return a text cleaned as `clean_reason` does, without control characters, in at most 200 bytes of UTF-8.

    Characters that are not printable are removed first, because an address may be hidden between them. A text that
    `clean_reason` would cut loses its last word, and numbers at its end: they may be too short to be recognized.
    """
    plain = "".join(each if each.isprintable() else " " * each.isspace() for each in text[: 2 * _LONGEST_REASON])
    if len(plain) > _LONGEST_REASON:
        plain = plain[:_LONGEST_REASON].rpartition(" ")[0].rstrip(_OF_NUMBERS)
    cut = clean_reason(plain).encode()[:_LONGEST_DETAIL_BYTES]
    return cut.decode(errors="ignore").strip()


def clean_url(url: str) -> str | None:
    """Return a URL without query, fragment and addresses, which can identify the recipient.

    None for a blank URL, one over 2,048 characters, and one that is itself an address (`tel:`, `mailto:` …).
    """
    if len(url) > _LONGEST_URL or url.isspace() or (not url.startswith(_WEB) and _PERSONAL_SCHEMES.match(url)):
        return None
    if "#" in url or "?" in url:
        url = url.partition("#")[0].partition("?")[0]
    if "@" in url or "%40" in url:
        url = _ADDRESSES.sub(_REMOVED, url)
    if "+" in url or "%2B" in url or "%2b" in url:
        url = _INTERNATIONAL_NUMBERS.sub(_REMOVED, url)
    return url or None


def may_name_a_person(identifier: str) -> bool:
    """Return whether an id looks like an address, a phone number with a plus sign, a push token or a URL.

    Numbers and UUIDs do not, even with other text around them.
    """
    return _PERSONAL_ID.search(identifier) is not None
