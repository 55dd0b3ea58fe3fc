from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

from tests.bench.fuzz.bodies import body_of

COUNT = 400
CODE = """
import hashlib
from tests.bench.fuzz.bodies import body_of
print(hashlib.sha256(b"".join(body_of(1, number) for number in range(400))).hexdigest())
import sys
print([name for name in sys.modules if name == "pipeline" or name.startswith("pipeline.")])
"""


def bodies(seed: int = 1) -> list[bytes]:
    return [body_of(seed, number) for number in range(COUNT)]


def test_a_body_depends_on_its_seed_and_its_number_alone() -> None:
    assert bodies() == bodies()
    assert bodies(1)[7] == body_of(1, 7)
    assert bodies(1) != bodies(2)


def test_neither_the_hash_seed_nor_the_package_has_a_part_in_the_bodies() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        (sys.executable, "-c", CODE), env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert done.splitlines() == [hashlib.sha256(b"".join(bodies())).hexdigest(), "[]"]


def test_bodies_that_are_changed_field_by_field_are_json_but_for_control_characters() -> None:
    for body in bodies()[1::2]:
        assert isinstance(json.loads(body.removeprefix(b"\xef\xbb\xbf"), strict=False), dict)


def test_some_bodies_that_are_changed_byte_by_byte_are_json_and_some_are_not() -> None:
    def is_json(body: bytes) -> bool:
        try:
            json.loads(body)
        except ValueError:
            return False
        return True

    found = [is_json(body) for body in bodies()[::2]]
    assert 0.2 < sum(found) / len(found) < 0.8
