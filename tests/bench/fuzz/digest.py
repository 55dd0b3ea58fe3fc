"""Compare the outcomes of 100,000 bodies with a stored digest: `python -m tests.bench fuzz --digest`.

Each block of bodies has its own digest, so a change can be located. It needs no commit and explains nothing.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.bench.fuzz.bodies import body_of
from tests.bench.fuzz.results import Decider, case_of
from tests.bench.fuzz.run import PROCESSES, SEED
from tests.bench.versions import WORKING_TREE, load_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STORED: Final = Path(__file__).with_name("digest.json")
BLOCKS: Final = 10
BODIES_A_BLOCK: Final = 10_000

_encode: Final = msgspec.json.Encoder().encode


def check_digest(tell: Callable[[str], None]) -> bool:
    """Compare the working tree's outcomes with the stored digest; return whether they are the same."""
    if not STORED.exists():
        tell(f"{STORED.name} does not exist; write it with `python -m tests.bench fuzz --write-digest`")
        return False
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    found = _digest()
    if stored == found:
        tell(f"{BLOCKS * BODIES_A_BLOCK:,} bodies have the outcomes of {STORED.name}")
        return True
    if len(stored["blocks"]) != BLOCKS or {**stored, "blocks": []} != {**found, "blocks": []}:
        tell(f"{STORED.name} is for other bodies; rewrite it with `python -m tests.bench fuzz --write-digest`")
        return False
    differing = [index for index in range(BLOCKS) if stored["blocks"][index] != found["blocks"][index]]
    for index in differing:
        first = index * BODIES_A_BLOCK
        tell(f"bodies {first:,} to {first + BODIES_A_BLOCK - 1:,} have outcomes other than those of {STORED.name}")
    bodies = (differing[-1] + 1) * BODIES_A_BLOCK
    tell(
        f"To see what changed: python -m tests.bench fuzz --before COMMIT --bodies {bodies}\n"
        "If the changes are meant: python -m tests.bench fuzz --write-digest"
    )
    return False


def write_digest(tell: Callable[[str], None]) -> None:
    """Store the digest of the working tree's outcomes."""
    STORED.write_text(json.dumps(_digest(), indent=2) + "\n", encoding="utf-8")
    tell(f"{STORED.name} has the outcomes of {BLOCKS * BODIES_A_BLOCK:,} bodies")


def _digest() -> dict[str, Any]:
    with ProcessPoolExecutor(PROCESSES, initializer=_begin) as pool:
        blocks = list(pool.map(_digest_of_block, range(BLOCKS)))
    return {"seed": SEED, "bodies_a_block": BODIES_A_BLOCK, "blocks": blocks}


_deciders: Final[list[Decider]] = []


def _begin() -> None:
    _deciders.append(Decider(load_version(WORKING_TREE)))


def _digest_of_block(index: int) -> str:
    numbers = range(index * BODIES_A_BLOCK, (index + 1) * BODIES_A_BLOCK)
    return digest_of(_deciders[0], numbers)


def digest_of(decider: Decider, numbers: Sequence[int]) -> str:
    """Return the SHA-256 over the outcomes of some bodies, and over the bodies themselves."""
    digest = hashlib.sha256()
    for number in numbers:
        body = body_of(SEED, number)
        outcome = decider.decide(body, case_of(number))
        kind = "" if outcome.kind is None else outcome.kind.name
        facts = [type(outcome).__name__, kind, *(getattr(outcome, name, "") for name in ("reason", "rule", "change"))]
        for part in (body, _encode(facts), getattr(outcome, "user_key", b""), getattr(outcome, "record", b"")):
            digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()
