from __future__ import annotations

import uuid

from pipeline.core.message_ids import content_id, uuid_of

NAMESPACE = uuid.UUID("2d1a2f6e-6a0e-5b0c-9a52-0c5f3d3b9e77")


def test_the_id_of_content_is_its_uuid_in_a_namespace_that_never_changes() -> None:
    assert content_id(b'{"a":1}') == str(uuid.uuid5(NAMESPACE, '{"a":1}'))


def test_other_content_has_another_id() -> None:
    assert content_id(b"\xff") != content_id(b"\xfe")


def test_one_value_has_another_uuid_in_each_namespace() -> None:
    assert uuid_of(uuid.NAMESPACE_URL, b"e-1") == str(uuid.uuid5(uuid.NAMESPACE_URL, "e-1"))
    assert uuid_of(uuid.NAMESPACE_URL, b"e-1") != uuid_of(uuid.NAMESPACE_DNS, b"e-1")
