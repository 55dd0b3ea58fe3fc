from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import avro.io
import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from msgspec.structs import fields

from pipeline.core.avro import decoding
from pipeline.core.avro.contracts import DEAD_LETTER, RAW_EVENT, Contract
from pipeline.core.avro.schema_types import Record, Type, Union, read_record
from pipeline.core.destinations.mixpanel import avro as mixpanel_records
from pipeline.core.destinations.mixpanel.avro_contract import MIXPANEL_RECORD
from pipeline.core.destinations.mixpanel.record import DetailedProperties
from pipeline.core.destinations.segment import avro as records
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.kafka import headers
from tests.avro_bodies import read_by_fastavro, without_logical_types, written
from tests.write_avro_schemas import AVRO_SCHEMAS, CONTRACTS, fingerprints, published, schema_path, schema_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMAS: Final = Path(__file__).parents[4] / "schemas"

NOT_SAID_BY_AVRO: Final = {
    "raw-event/unknown-kind": "a kind is a string, so that an unknown one can be sent and counted",
    "segment-record/blank-id": "Avro has no patterns: a blank string is a string",
    "segment-record/blank-title": "Avro has no patterns: a blank string is a string",
    "segment-record/both-ids": "Avro cannot require one of two fields",
    "segment-record/no-id": "Avro cannot require one of two fields",
    "segment-record/identify-call": "words are strings, so that a new one is a compatible change",
    "segment-record/unknown-category": "words are strings, so that a new one is a compatible change",
    "segment-record/long-message-id": "Avro has no lengths",
    "segment-record/message-id-with-a-space": "Avro has no patterns",
    "segment-record/time-without-milliseconds": "Avro has no patterns",
    "segment-record/url-with-query": "Avro has no patterns",
    "mixpanel-record/another-source": "words are strings, so that a new one is a compatible change",
    "mixpanel-record/blank-distinct-id": "Avro has no patterns: a blank string is a string",
    "mixpanel-record/insert-id-with-a-dot": "Avro has no patterns",
    "mixpanel-record/long-distinct-id": "Avro has no lengths",
    "mixpanel-record/long-insert-id": "Avro has no lengths",
    "mixpanel-record/long-text": "Avro has no lengths",
    "mixpanel-record/time-in-seconds": "Avro has no ranges",
    "mixpanel-record/url-with-query": "Avro has no patterns",
    "segment-record/no-loop-guard": "Avro cannot require keys of a map, and a field cannot be named OneSignal New",
}
"""The invalid examples that the JSON Schema refuses and the Avro schema accepts, each with the reason."""


def incompatibilities(versions: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the pairs of versions, from 1, of which the later cannot read the data of the earlier, with the reason."""
    parsed = [avro.schema.parse(version) for version in versions]
    found = []
    for later, reader in enumerate(parsed):
        for earlier, writer in enumerate(parsed[:later]):
            checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
            result = checker.get_compatibility(reader, writer)
            if result.compatibility is not SchemaCompatibilityType.compatible:
                found.append((later + 1, earlier + 1, "; ".join(sorted(result.messages))))
    return found


def versions_of(contract: Contract) -> list[str]:
    paths = [schema_path(contract.subject, number + 1) for number in range(contract.version)]
    return [path.read_text(encoding="utf-8") for path in paths]


contracts = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


@contracts
def test_the_latest_file_is_what_the_code_says(contract: Contract) -> None:
    file = schema_path(contract.subject, contract.version).read_text(encoding="utf-8")
    assert file == schema_text(contract), "regenerate it: python -m tests.write_avro_schemas"


@contracts
def test_the_files_are_the_versions_and_nothing_else(contract: Contract) -> None:
    files = {path.name for path in (AVRO_SCHEMAS / contract.subject).iterdir()}
    assert files == {f"{number + 1}.avsc" for number in range(contract.version)}


def test_a_published_version_never_changes() -> None:
    found = {
        f"{contract.subject}/{number}": fingerprints(schema_path(contract.subject, number).read_text(encoding="utf-8"))
        for contract in CONTRACTS.values()
        for number in range(1, contract.version + 1)
    }
    assert found == published(), "this version is published: do not change it, add the next one"


@contracts
def test_every_version_reads_all_versions_before_it(contract: Contract) -> None:
    assert incompatibilities(versions_of(contract)) == []


def with_another_field(contract: Contract, **field: Any) -> str:
    schema = copy.deepcopy(contract.schema)
    schema["fields"].append({"name": "more", "type": "string", **field})
    return json.dumps(schema)


@contracts
def test_a_new_field_with_a_default_is_compatible(contract: Contract) -> None:
    assert incompatibilities([versions_of(contract)[-1], with_another_field(contract, default="")]) == []


@contracts
def test_a_new_field_without_a_default_is_refused(contract: Contract) -> None:
    found = incompatibilities([versions_of(contract)[-1], with_another_field(contract)])
    assert [(later, earlier) for later, earlier, _ in found] == [(2, 1)]


@contracts
def test_a_changed_type_is_refused(contract: Contract) -> None:
    schema = copy.deepcopy(contract.schema)
    schema["fields"][0]["type"] = "int"
    found = incompatibilities([versions_of(contract)[-1], json.dumps(schema)])
    assert [(later, earlier) for later, earlier, _ in found] == [(2, 1)]


def test_a_version_must_read_all_versions_before_it_and_not_only_the_last() -> None:
    latest = versions_of(RAW_EVENT)[0]
    second = with_another_field(RAW_EVENT, default="")
    third = with_another_field(RAW_EVENT)
    assert [(later, earlier) for later, earlier, _ in incompatibilities([latest, second, third])] == [(3, 1)]


def test_an_edited_version_has_another_fingerprint() -> None:
    edited = with_another_field(RAW_EVENT, default="")
    another_default = with_another_field(RAW_EVENT, default="x")
    assert fingerprints(edited) != fingerprints(another_default)
    assert fingerprints(edited)["crc-64-avro"] == fingerprints(another_default)["crc-64-avro"]
    assert fingerprints(edited) == fingerprints(with_another_field(RAW_EVENT, default="", doc="more"))


def all_records(kind: Type) -> Iterator[Record]:
    if isinstance(kind, Union):
        for branch in kind.branches:
            yield from all_records(branch)
    elif isinstance(kind, Record):
        yield kind
        for field in kind.fields:
            yield from all_records(field.type)


@pytest.mark.parametrize(
    ("contract", "structs"),
    [
        (RAW_EVENT, decoding._STRUCTS),
        (SEGMENT_RECORD, records._STRUCTS),
        (MIXPANEL_RECORD, mixpanel_records._STRUCTS),
    ],
    ids=["raw-event", "segment-record", "mixpanel-record"],
)
def test_the_structs_have_the_fields_of_the_contract_in_its_order(contract: Contract, structs: Any) -> None:
    found = {
        record.unqualified: [field.name for field in record.fields]
        for record in all_records(read_record(contract.schema))
    }
    of_structs = {name: [field.name for field in fields(struct)] for name, struct in structs.items()}
    assert found == {name: of_structs[name][: len(found[name])] for name in of_structs}
    assert {field for name in found for field in of_structs[name][len(found[name]) :]} <= NOT_IN_THE_CONTRACT


NOT_IN_THE_CONTRACT = {
    *("external_user_id", "app_url", "web_url", "live_activity_event_kind"),  # other names, and what only JSON has
}


@contracts
def test_every_record_and_field_is_documented(contract: Contract) -> None:
    def undocumented(schema: Any, path: str) -> list[str]:
        if isinstance(schema, list):
            return [name for item in schema for name in undocumented(item, path)]
        if not isinstance(schema, dict) or schema.get("type") != "record":
            return []
        found = [] if schema.get("doc") else [path]
        for field in schema["fields"]:
            name = f"{path}.{field['name']}"
            found += [*([] if field.get("doc") else [name]), *undocumented(field["type"], name)]
        return found

    assert undocumented(contract.schema, contract.subject) == []


def test_a_dead_letter_has_a_field_for_each_header_and_both_bytes() -> None:
    values = {value for name, value in vars(headers).items() if isinstance(value, str) and name.isupper()}
    named = {value.replace("-", "_") for value in values - {headers.SOURCE_HEADER_PREFIX}}
    fields = {field["name"] for field in DEAD_LETTER.schema["fields"]}
    assert fields == named | {"key", "value", "source_headers"}


def test_a_dead_letter_of_format_1_is_read_with_the_contract_of_format_2() -> None:
    first, second = (without_logical_types(json.loads(version)) for version in versions_of(DEAD_LETTER))
    letter = {
        "reason": "not_json",
        "stage": "processor",
        "source_topic": "onesignal.events",
        "source_partition": 2,
        "source_offset": 41,
        "rejected_at": 1_700_000_000_123,
        "rules_version": "none",
        "format_version": "1",
        "key": None,
        "value": b"{",
    }
    found = read_by_fastavro(written(letter, first), first, second)
    new: dict[str, Any] = {
        "destination": None,
        "kind": None,
        "source_timestamp": None,
        "detail": None,
        "source_headers": {},
    }
    assert {name: found[name] for name in new} == new
    assert (found["reason"], found["source_offset"], found["value"]) == ("not_json", 41, b"{")


def test_no_contract_has_a_field_for_what_identifies_a_device_or_an_inbox() -> None:
    everything = "".join(json.dumps(without_logical_types(contract.schema)).lower() for contract in CONTRACTS.values())
    assert '"name": "subscription"' not in everything
    assert not [word for word in ('token"', 'email"', "phone") if f'"name": "{word}' in everything]


AVRO_NAMES = {field.encode_name: field.name for field in fields(DetailedProperties)}
"""The contract's name of each property: Avro allows neither spaces nor `$`."""


def examples(side: str) -> list[Any]:
    paths = [
        path
        for subject in ("raw-event", "segment-record", "mixpanel-record")
        for path in sorted((SCHEMAS / subject / side).glob("*.json"))
    ]
    return [pytest.param(path, id=f"{path.parents[1].name}/{path.stem}") for path in paths]


def fits_avro(path: Path) -> bool:
    """Return whether the avro package accepts an example, without fields that only the JSON Schema allows."""
    subject = path.parents[1].name
    example = json.loads(path.read_text(encoding="utf-8"))
    if subject == "raw-event":
        example = _known(CONTRACTS[subject].schema, example)
    if subject == "mixpanel-record":
        renamed = {AVRO_NAMES.get(name, name): each for name, each in example["properties"].items()}
        example = {**example, "properties": renamed}
    return avro.io.validate(avro.schema.parse(json.dumps(CONTRACTS[subject].schema)), example)


def _known(schema: Any, datum: Any) -> Any:
    """Return a value without the fields that its record does not have."""
    if isinstance(schema, list):
        records = [branch for branch in schema if isinstance(branch, dict) and branch["type"] == "record"]
        return _known(records[0], datum) if records else datum
    if not isinstance(datum, dict) or not isinstance(schema, dict) or schema["type"] != "record":
        return datum
    known = {field["name"]: field["type"] for field in schema["fields"]}
    return {name: _known(known[name], value) for name, value in datum.items() if name in known}


@pytest.mark.parametrize("path", examples("valid"))
def test_what_a_json_schema_accepts_avro_accepts(path: Path) -> None:
    assert fits_avro(path)


@pytest.mark.parametrize("path", examples("invalid"))
def test_what_a_json_schema_refuses_avro_refuses_but_for_what_it_cannot_say(path: Path) -> None:
    assert fits_avro(path) == (f"{path.parents[1].name}/{path.stem}" in NOT_SAID_BY_AVRO)


def test_what_avro_cannot_say_is_an_example() -> None:
    assert {case.id for case in examples("invalid")} >= set(NOT_SAID_BY_AVRO)
