"""The outcomes of one version, in a form that can be compared with the other's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.builders import STORED_AT, RawMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.versions import Version

_VERSION: Final = re.compile(rb'"integration":\{"name":"onesignal","version":"1\.[01]\.0"\}')
_SAME_VERSION: Final = rb'"integration":{"name":"onesignal","version":"1"}'
_LIVE: Final = re.compile(rb',"live_activity_event_kind":("(?:[^"\\]|\\.)*")')
_RULES: Final = """
rules:
  - {when: {app_id: [Nancy, "null", nan, "1", "12345", guest]}, then: drop}
  - {when: {template_id: [guest, "1", "null", "000", "u-1001"]}, then: drop}
  - {when: {message_id: [m-2, "null", nan, "01"]}, then: drop}
  - {when: {message_name: ["null*", NaN, "?one", "Flash*"]}, then: drop}
  - {when: {language: [fr, "null", pt-br, "undefined"]}, then: drop}
  - {when: {device_type: [sms, "null", huawei]}, then: drop}
  - {when: {tag: {plan: [free, "null"]}}, then: drop}
  - {when: {tag: {level: ["7", "12345678901234567890123"]}}, then: drop}
  - {when: {tag: {level: "1.2345678901234568e+22"}}, then: drop}
  - {when: {anonymous: true, category: delivery}, then: {sample: {percent: 50, by: user}}}
  - {when: {kind: message.email.opened}, then: {sample: {percent: 50, by: event}}}
"""
_CATALOGUE: Final[Mapping[str, Mapping[str, Any]]] = {
    "m-1": {"name": "new-year", "title": {"en": "Happy", "de": "Gutes", "zh-Hans": "x"}, "url": "https://a.example/"},
    "m-2": {"name": "null", "title": "null", "contents": {"en": "undefined", "de": "Los"}, "template_id": "nan"},
    "m-3": {"name": "late", "title": "{'en': \"It's on\"}", "contents": '{"id":"42","to":"orders"}', "url": "null"},
    "m-4": {"name": "Flash", "title": {"pt": "Oi", "iw": "shalom"}, "template_id": "1", "contents": "[object Object]"},
    "null": {"name": "not this", "title": "of another message"},
    "nan": {"name": "nor this", "title": "of another message"},
}


class Case(NamedTuple):
    """What a body is decided with: the policy, whether there is a catalogue, and Kafka's time."""

    policy: int
    has_catalogue: bool
    timestamp: int


class Result(NamedTuple):
    """An outcome without what differs on purpose: the version of the record format, and the new property."""

    outcome: str
    kind: str
    reason: str
    rule: int | None = None
    user_key: bytes = b""
    record: bytes = b""
    live: str | None = None


def case_of(number: int) -> Case:
    """Return what the body with this number is decided with."""
    return Case(number // 2 % 4, number // 8 % 3 == 0, -1 if number // 24 % 8 == 0 else STORED_AT)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A message catalogue."""

    contents: Mapping[str, Any]

    def find(self, message_id: str) -> Any:
        return self.contents.get(message_id)


class Decider:
    """Decides bodies in one version."""

    def __init__(self, version: Version) -> None:
        """Build the policies and the catalogue of this version."""
        self._process: Callable[..., Any] = version.find("core.processing", "process")
        self._state: Callable[..., Any] = version.find("core.processing", "State")
        self._content: Callable[..., Any] = version.find("core.content", "Content")
        # What a version does with stored content before its catalogue knows it; the previous version did nothing.
        self._usable: Callable[[Any], Any] = version.find("core.catalogue", "usable", lambda content: content)
        self._policies = _policies(version)
        self._states = {has: self.state_of(_CATALOGUE if has else None) for has in (False, True)}

    def state_of(self, contents: Mapping[str, Mapping[str, Any]] | None) -> Any:
        """Return a state whose catalogue knows some messages."""
        if contents is None:
            return self._state()
        stored = [self._content(id=key, **known) for key, known in contents.items()]
        taken_in = {content.id: content for content in filter(None, map(self._usable, stored))}
        return self._state(catalogue=Remembered(taken_in))

    def decide(self, body: bytes, case: Case, state: Any = None) -> Any:
        """Return the outcome of a body."""
        message = RawMessage(value=body, timestamp=case.timestamp)
        return self._process(message, self._policies[case.policy], state or self._states[case.has_catalogue])


def known_of(message_id: str | None) -> Mapping[str, Any] | None:
    """Return what the catalogue knows about a message."""
    return _CATALOGUE.get(message_id or "")


def result_of(outcome: Any) -> Result:
    """Convert an outcome of any version into a form that can be compared."""
    name = type(outcome).__name__
    kind = "" if outcome.kind is None else outcome.kind.name
    if name == "Deliver":
        record, live = split_record(outcome.record)
        return Result(name, kind, "", outcome.rule, outcome.user_key, record, live)
    if name == "Drop":
        return Result(name, kind, str(outcome.reason), outcome.rule, outcome.user_key)
    return Result(name, kind, str(outcome.reason))


def split_record(record: bytes) -> tuple[bytes, str | None]:
    """Return a record without its version and its live activity's event kind, and that kind."""
    record = _VERSION.sub(_SAME_VERSION, record)
    live = _LIVE.search(record)
    return (record, None) if live is None else (_LIVE.sub(b"", record, count=1), json.loads(live[1]))


def changes_between(old: Result, new: Result) -> list[str]:
    """Return the names of the parts of an outcome that differ."""
    if old.outcome != new.outcome:
        return [f"{_shortly(old)} → {_shortly(new)}"]
    changed = [name for name in ("kind", "reason", "rule", "user_key") if getattr(old, name) != getattr(new, name)]
    if new.outcome == "Deliver":
        before, after = (_flat(json.loads(each.record)) for each in (old, new))
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        changed += ["live_activity_event_kind"] if new.live != old.live else []
    return changed or ["bytes"]


def _shortly(result: Result) -> str:
    return result.reason or "delivered"


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in record.items() if key not in {"properties", "context", "integrations"}}
    return {**flat, **record["context"]["onesignal"], **{f".{key}": each for key, each in record["properties"].items()}}


def _policies(version: Version) -> tuple[Any, ...]:
    policy = version.policy
    unknown, anonymous = version.find("core.policy", "UnknownKinds"), version.find("core.identity", "AnonymousPolicy")
    presets, preset = version.find("core.presets", "Preset"), version.find("core.presets", "preset_rules")
    rules = version.find("core.rules_file", "parse_rules")(_RULES, filename="fuzz.yaml")
    return (
        policy(),
        policy(unknown_kinds=unknown.DELIVER),
        policy(rules=preset(presets.ENGAGEMENT_ONLY), anonymous_engagement=anonymous.DROP),
        policy(rules=rules, unknown_kinds=unknown.DELIVER, anonymous_engagement=anonymous.REJECT),
    )
