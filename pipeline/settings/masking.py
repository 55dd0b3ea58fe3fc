"""What may be shown of a value that was refused: it may be an address with a password in it, whatever the setting."""

from __future__ import annotations

import re
from typing import Final

_LONGEST_SHOWN: Final = 200
_WITH_CREDENTIALS: Final = re.compile(r"(?P<scheme>\w+://)?.*@(?P<host>[\w.:\[\]-]*)(?P<rest>.*)", re.DOTALL)
_QUERY: Final = re.compile(r"[?#].*", re.DOTALL)


def presentable(value: str, *, is_path: bool = False) -> str:
    """Shorten a faulty value, and leave out what can be a secret: what stands before an `@`, and a query.

    A path may hold an `@` of its own, so there only what looks like an address is looked at.
    """
    shown = value
    if is_path and "://" not in value:
        pass
    elif found := _WITH_CREDENTIALS.fullmatch(value):
        shown = f"{found['scheme'] or ''}…@{found['host']}{'…' if found['rest'] else ''}"
    elif "://" in value:
        shown = _QUERY.sub("…", value)
    return shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "…"
