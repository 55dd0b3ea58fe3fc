"""Build bodies: even ones are mutated byte by byte, odd ones field by field.

A body depends only on the seed and its number: not on the other bodies, the hash seed of the process, or the code under
test.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from tests.bench.fuzz.drafts import SHAPES, default_draft, write
from tests.bench.fuzz.moments import some_kind
from tests.bench.fuzz.mutations import MUTATIONS

if TYPE_CHECKING:
    from tests.bench.fuzz.drafts import Draft

_MUTATIONS: Final = tuple(mutation for mutation, _ in MUTATIONS)
_WEIGHTS: Final = tuple(weight for _, weight in MUTATIONS)
_SNIPPETS: Final = (
    *(
        b"\n",
        b"\r",
        b"\t",
        b"\x00",
        b"\x1f",
        b"\x7f",
        b'"',
        b"\\",
        b"'",
        b",",
        b":",
        b"{",
        b"}",
        b"[",
        b"]",
        b" ",
        b"0",
    ),
    *(
        b"\\u0000",
        b"\\ud83d",
        b"\\udc00",
        b"\\n",
        b"\\\n",
        b"null",
        b"nan",
        b"true",
        b"-",
        b".",
        b"e9",
        b"000",
        b"{{",
        b"}}",
    ),
    *(
        b"\xc2\xa0",
        b"\xe2\x80\x8b",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x9a\x80",
        b"9" * 25,
        b"_",
        b"=",
    ),
    *(b"user_", b"event", b"_id", b"external", b"1e3", b"E", b"(null)", b'""', b'":"', b'","', b"/*", b"//"),
)


def body_of(seed: int, number: int) -> bytes:
    """Build one body."""
    chance = Random((seed << 40) + number)
    by_fields = number % 2 == 1
    draft = default_draft(some_kind(chance), chance.choice(SHAPES))
    count = chance.randint(1, 3) if by_fields else chance.choice((0, 0, 1, 1, 2))
    for mutation in chance.choices(_MUTATIONS, _WEIGHTS, k=count):
        mutation(draft, chance)
    _finish(draft, chance)
    body = write(draft, chance)
    return body if by_fields else _changed(bytearray(body), chance)


def _finish(draft: Draft, chance: Random) -> None:
    draft.mark = chance.randrange(100) == 0
    if chance.randrange(4) == 0:
        paths = list(draft.facts)
        chance.shuffle(paths)
        draft.facts = {path: draft.facts[path] for path in paths}


def _changed(body: bytearray, chance: Random) -> bytes:
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        chance.choice(_CHANGES)(body, _position(body, chance), chance)
    return bytes(body)


def _snippet(body: bytearray, position: int, chance: Random) -> None:
    body[position : position + chance.randrange(2)] = chance.choice(_SNIPPETS)


def _other_byte(body: bytearray, position: int, chance: Random) -> None:
    body[position : position + 1] = bytes((chance.randrange(256 if chance.randrange(6) == 0 else 128),))


def _bit(body: bytearray, position: int, chance: Random) -> None:
    body[position : position + 1] = bytes(byte ^ 1 << chance.randrange(8) for byte in body[position : position + 1])


def _removed(body: bytearray, position: int, chance: Random) -> None:
    del body[position : position + chance.randint(1, 4)]


def _repeated(body: bytearray, position: int, chance: Random) -> None:
    body[position:position] = body[position : position + chance.randint(1, 8)]


def _copied(body: bytearray, position: int, chance: Random) -> None:
    other = _position(body, chance)
    span = body[other : other + chance.randint(1, 6)]
    body[position : position + len(span)] = span


def _ended(body: bytearray, position: int, chance: Random) -> None:
    if chance.randrange(6) == 0:
        del body[position:]


_CHANGES: Final = (_snippet, _snippet, _snippet, _other_byte, _other_byte, _bit, _removed, _repeated, _copied, _ended)


def _position(body: bytearray, chance: Random) -> int:
    """Draw a position, mostly inside a word: a body whose quotes or braces are broken is no JSON any more."""
    position = chance.randrange(len(body) + 1)
    for _ in range(3):
        if body[position : position + 1].isalnum():
            break
        position = chance.randrange(len(body) + 1)
    return position
