"""Faults in the names and in the shape of an event's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.fuzz import moments, values

if TYPE_CHECKING:
    from random import Random

    from tests.bench.fuzz.drafts import Draft


def second_names(draft: Draft, chance: Random) -> None:
    kind = chance.randrange(4)
    if kind != 1:
        _second_external_ids(draft, chance)
    if kind in {1, 3}:
        if chance.randrange(4):
            draft.facts["event.subscription_id"] = chance.choice(("", None, "null", "nan"))
        draft.facts["user.subscription.id"] = chance.choice(("s-5005", "s-5006", "", values.odd_id(chance)))
        draft.facts["user.subscription.subscription_token"] = "6f1a0cf2b7d94e0f"
    if kind == 2:
        second_kind(draft, chance)
    if chance.randrange(3) == 0:
        draft.facts["event.external_id"] = ""


def _second_external_ids(draft: Draft, chance: Random) -> None:
    for path in ("event.external_id", "user.external_id"):
        if chance.randrange(5):
            draft.facts[path] = chance.choice(("", None, "null", "nan", " "))
    for _ in range(chance.randint(1, 2)):
        value = chance.choice(("u-3003", "u-3004", "", "nan", values.odd_id(chance), values.odd_number(chance)))
        key = "EXTERNAL_USER_ID" if chance.randrange(8) == 0 else "external_user_id"
        draft.add(key, value, part=chance.choice(("", "event", "user")), first=chance.randrange(2) == 0)


def second_kind(draft: Draft, chance: Random) -> None:
    if chance.randrange(4):
        draft.facts.pop("event.kind", None)
    else:
        draft.facts["event.kind"] = chance.choice(("", None, "null", " "))
    for key in values.pick(chance, ("event", "kind", "event_type", "EVENT_TYPE", "type"), at_most=2):
        named = chance.choice(
            (moments.some_kind(chance), moments.odd_kind(chance), values.odd_text(chance), "Order Completed")
        )
        draft.add(key, named, first=chance.randrange(2) == 0)


def removed(draft: Draft, chance: Random) -> None:
    for path in values.pick(chance, list(draft.facts), at_most=4):
        del draft.facts[path]


def other_keys(draft: Draft, chance: Random) -> None:
    for _ in range(chance.randint(1, 3)):
        key = chance.choice(
            ("custom", "answer", "data", "user.email", "event_extra", "Event", "Other Data", "ID", "event.kind ")
        )
        draft.add(key, chance.choice(("x", 5, None, {"external_id": "someone else"}, [1, 2], True)))


def doubled(draft: Draft, chance: Random) -> None:
    path = chance.choice(list(draft.facts))
    name = path.rpartition(".")[2]
    key = chance.choice(
        (path, path.replace(".", "_"), name, name.upper(), path.replace(".", "_").upper(), path.title())
    )
    value = chance.choice(("other", "", None, values.odd_id(chance), values.odd_number(chance), draft.facts[path]))
    draft.add(key, value, first=chance.randrange(2) == 0)


def parts(draft: Draft, chance: Random) -> None:
    part = chance.choice(("event", "message", "user", "event.data", "user.subscription"))
    for path in [path for path in draft.facts if path.startswith(f"{part}.") and chance.randrange(3)]:
        del draft.facts[path]
    *above, name = part.split(".")
    wrong: object = chance.choice(
        ("", None, [], "x", 5, {}, {"id": "p-1"}, {"external_id": "p-2", "kind": "message.push.sent"})
    )
    draft.add(name, wrong, part=".".join(above), first=chance.randrange(2) == 0)
