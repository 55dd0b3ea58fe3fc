from __future__ import annotations

from dataclasses import fields

from aiokafka import ConsumerRecord

from pipeline.core.messages import Message
from tests.builders import RawMessage


def test_kafkas_records_and_the_tests_messages_are_messages() -> None:
    wanted = {name for name, member in vars(Message).items() if isinstance(member, property)}
    assert wanted == {"topic", "partition", "offset", "key", "value", "timestamp", "headers"}
    assert wanted <= {field.name for field in fields(ConsumerRecord)}
    assert wanted <= {field.name for field in fields(RawMessage)}
