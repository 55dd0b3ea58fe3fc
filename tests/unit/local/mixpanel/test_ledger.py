from __future__ import annotations

from pipeline.local.mixpanel.ledger import Change, Discard, Ledger, Row, SeenRequest

FIRST = Row("$app_open", "u-1", 1_767_225_600_000, "a")


def test_equal_rows_are_one_in_a_report_and_each_is_one_in_a_raw_export() -> None:
    ledger = Ledger()
    for _ in range(3):
        ledger.accept(FIRST)
    assert (len(ledger.raw), ledger.report) == (3, {FIRST})
    assert ledger.discarded[Discard.DUPLICATE] == 2
    assert not ledger.changed


def test_an_insert_id_that_returns_with_something_else_is_flagged_and_counted_twice() -> None:
    ledger = Ledger()
    ledger.accept(FIRST)
    ledger.accept(FIRST._replace(time=FIRST.time + 1))
    ledger.accept(FIRST._replace(user="u-2", event="$campaign_open"))
    assert ledger.changed == {Change.TIME: 1, Change.USER: 1, Change.EVENT: 1}
    assert len(ledger.report) == 3
    assert ledger.accepted == {"a": "u-1"}


def test_the_first_acceptance_gives_the_order() -> None:
    ledger = Ledger()
    for insert_id in ("b", "a", "b"):
        ledger.accept(FIRST._replace(insert_id=insert_id))
    assert list(ledger.accepted) == ["b", "a"]


def test_a_user_with_too_many_events_on_a_day_loses_the_later_ones() -> None:
    ledger = Ledger(hot_shard_events=2)
    for number in range(4):
        ledger.accept(FIRST._replace(insert_id=f"id-{number}"))
    ledger.accept(FIRST._replace(insert_id="next-day", time=FIRST.time + 86_400_000))
    assert ledger.summary().hot == 2
    assert [row.user for row in ledger.raw] == ["u-1", "u-1", "", "", "u-1"]


def test_events_of_nobody_are_never_hot() -> None:
    ledger = Ledger(hot_shard_events=1)
    for number in range(3):
        ledger.accept(FIRST._replace(insert_id=f"id-{number}", user=""))
    assert ledger.summary().hot == 0


def test_the_summary_adds_up() -> None:
    ledger = Ledger()
    ledger.accept(FIRST)
    ledger.accept(FIRST)
    ledger.discarded[Discard.REFUSED] += 1
    ledger.see(SeenRequest(status=200, size=10, records=2))
    ledger.seen(503, size=5)
    summary = ledger.summary()
    assert summary.records_received == 3
    assert summary.records_accepted + sum(summary.discarded.values()) == 3
    assert (summary.requests, summary.answers) == (2, {200: 1, 503: 1})
    assert (summary.largest_request_bytes, summary.largest_request_records) == (10, 2)
    assert (summary.raw_rows, summary.report_rows, summary.users) == (2, 1, 1)
