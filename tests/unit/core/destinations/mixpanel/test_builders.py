from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.core.classification import MtuClass
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.identity import AnonymousId
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.destinations.mixpanel.names import ALLOWED_DOLLAR_NAMES, MIXPANEL_NAMES
from pipeline.core.identity import identify
from pipeline.core.kinds import KINDS, kind_of
from pipeline.core.policy import Policy
from tests.builders import SEGMENT, STORED_AT
from tests.unit.core.filtering import event

DEFAULT = MixpanelRecords()


def name_of(kind: str, records: MixpanelRecords = DEFAULT) -> str:
    asked = event(kind)
    built = records.builder_of(kind_of(kind))(asked, identify(asked), "m-1", None, STORED_AT)
    assert isinstance(built, bytes)
    name: str = json.loads(built)["event"]
    return name


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_the_name_of_the_table_unless_the_user_named_it(kind: str) -> None:
    assert name_of(kind) == MIXPANEL_NAMES[kind]
    assert name_of(kind, MixpanelRecords(custom_names={kind: "My own"})) == "My own"


@pytest.mark.parametrize("kind", ["message.fax.sent", "$identify", "message.$merge", "$", "é", "iam." * 25])
def test_an_unknown_kind_has_a_name_of_its_own_words_that_mixpanel_does_not_reserve(kind: str) -> None:
    name = name_of(kind)
    assert not name.startswith("$")
    assert 0 < len(name) <= 255
    assert DEFAULT.mtu_class(kind_of(kind)) is MtuClass.COUNTED


def test_long_names_are_cut() -> None:
    assert name_of("message.push.sent", MixpanelRecords(custom_names={"message.push.sent": "é" * 300})) == "é" * 255


def test_the_name_that_is_sent_decides_the_mtu_class() -> None:
    failed, sent = KINDS["message.push.failed"], KINDS["message.push.sent"]
    assert (DEFAULT.mtu_class(failed), DEFAULT.mtu_class(sent)) == (MtuClass.COUNTED, MtuClass.EXEMPT)
    names = {"message.push.failed": "$campaign_bounced", "message.push.sent": "Push Sent"}
    renamed = MixpanelRecords(custom_names=names)
    assert (renamed.mtu_class(failed), renamed.mtu_class(sent)) == (MtuClass.EXEMPT, MtuClass.COUNTED)


def test_the_reading_decides_whether_opens_and_clicks_count() -> None:
    by_list = MixpanelRecords(mtu_reading=MtuReading.LIST)
    changed = {kind.name for kind in KINDS.values() if DEFAULT.mtu_class(kind) != by_list.mtu_class(kind)}
    assert changed == {name for name, sent in MIXPANEL_NAMES.items() if sent in {"$app_open", "$campaign_open"}}


def test_the_allowed_names_are_those_of_the_table() -> None:
    assert {name for name in MIXPANEL_NAMES.values() if name[0] == "$"} == ALLOWED_DOLLAR_NAMES
    assert not ALLOWED_DOLLAR_NAMES & {"$identify", "$create_alias", "$merge"}


def test_whatever_shapes_records_or_classes_changes_the_policys_version() -> None:
    others = [
        DEFAULT,
        MixpanelRecords(custom_names={"message.push.sent": "Sent"}),
        MixpanelRecords(mtu_reading=MtuReading.LIST),
        MixpanelRecords(anonymous_id=AnonymousId.SUBSCRIPTION),
        MixpanelRecords(send_device_id=True),
    ]
    versions = {Policy(records=records).version for records in others} | {Policy(records=SEGMENT).version}
    assert len(versions) == len(others) + 1
    assert Policy(records=replace(DEFAULT)).version in versions
    named_as_usual = MixpanelRecords(custom_names={"message.push.sent": "$campaign_delivery"})
    assert Policy(records=named_as_usual).version == Policy(records=DEFAULT).version
