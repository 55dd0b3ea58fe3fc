from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.policy import Policy
from pipeline.core.visible import visible
from pipeline.tools.what_if.page import page
from pipeline.tools.what_if.page_parts import nice_ticks, short_number
from pipeline.tools.what_if.prices import Prices, Unit, parse_prices
from tests.builders import RawMessage, encode, raw_event
from tests.hostile.terminal import EVERYTHING
from tests.unit.tools.test_counting import CLICKED, RECEIVED, SENT, TRACKED, TRAFFIC
from tests.unit.tools.traffic import ENGAGEMENT, EXEMPT, account, all_findings_of, findings_of, happened, rule_set
from tests.unit.tools.traffic import EVERYTHING as EVERYTHING_KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.tools.what_if.findings import Findings

NASTY = rule_set(
    "rules:\n  - {name: '<script>alert(1)</script>', when: {message_name: '\"><img src=x>'}, then: drop}\n",
    "<b>&'\".yaml",
)
LOSSY = rule_set("rules:\n  - {when: {action: clicked}, then: drop}\n", "lossy.yaml")
WRITTEN_AT = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)
VOID = {"meta", "br", "input", "line", "polyline"}
MONTHS = [
    happened(f"u-{number}", kind, f"2026-0{1 + number % 3}-{5 + number % 20:02}T10:00")
    for number in range(60)
    for kind in (SENT, RECEIVED, CLICKED)[: 1 + number % 3]
]


class _Reader(HTMLParser):
    """Read a page, and check that its tags are nested correctly."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset", "data"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _read(findings: Findings, prices: Prices | None = None) -> tuple[str, _Reader]:
    return _read_all([findings], {} if prices is None else {findings.destination: prices})


def _read_all(destinations: Sequence[Findings], charges: Mapping[Destination, Prices]) -> tuple[str, _Reader]:
    written = page(destinations, charges, written_at=WRITTEN_AT)
    reader = _Reader()
    reader.feed(written)
    assert reader.open == []
    return written, reader


@pytest.mark.parametrize("price", [None, "0.01", "0:0.012,10:0.01"])
@pytest.mark.parametrize("messages", [[], TRAFFIC, MONTHS])
def test_a_page_needs_nothing_from_outside(messages: list, price: str | None) -> None:  # type: ignore[type-arg]
    prices = None if price is None else parse_prices(price, "USD")
    written, reader = _read(findings_of(messages, EVERYTHING_KEPT, ENGAGEMENT, LOSSY, TRACKED), prices)
    assert reader.addresses == []
    assert not re.search(r"https?:|//[a-z]|url\(|@import", written)
    assert "default-src 'none'" in written


def test_what_people_wrote_is_no_markup() -> None:
    written, reader = _read(findings_of(MONTHS, NASTY, EVERYTHING_KEPT), parse_prices("1", "<i>$</i>"))
    assert reader.tags.count("script") == 1
    assert not {"b", "img"} & set(re.findall(r"<(b|img)[ >](?!Sent|Received|Engaged)", written))
    assert "<i>$" not in written
    assert any("<b>&'\".yaml" in words for words in reader.words)


def test_no_user_and_no_message_is_in_it() -> None:
    written, _ = _read(findings_of(MONTHS, EVERYTHING_KEPT, ENGAGEMENT))
    assert not re.search(r"u-[0-9]|new-year|c1a7e2d4", written)


def test_the_headline_answers_for_the_last_set_of_rules() -> None:
    findings = findings_of(TRAFFIC, EVERYTHING_KEPT, ENGAGEMENT)
    written, _ = _read(findings, parse_prices("10", "USD"))
    assert "<h1>engagement-only saves 67 % of the MTUs (20.00 USD) and loses no engagement</h1>" in written
    written, _ = _read(findings_of(TRAFFIC, ENGAGEMENT, EVERYTHING_KEPT))
    assert "<h1>keep-all costs 200 % more MTUs and loses no engagement</h1>" in written
    written, _ = _read(findings_of(TRAFFIC, EVERYTHING_KEPT))
    assert "<h1>keep-all costs 3 MTUs</h1>" in written


def test_lost_engagements_are_loud() -> None:
    written, _ = _read(findings_of(TRAFFIC, EVERYTHING_KEPT, LOSSY))
    assert "and loses 1 engagement</h1>" in written
    assert 'class="alarm" role="note">Engagements lost: lossy.yaml loses 1 engagement that keep-all keeps' in written
    assert "⚠ 1 engagement lost" in written


def test_every_chart_has_its_figures_in_words_or_in_a_table() -> None:
    written, reader = _read(findings_of(MONTHS, EVERYTHING_KEPT, ENGAGEMENT), parse_prices("0.01"))
    assert written.count('class="chart" aria-hidden="true"') == 2
    for caption in ("MTUs since the month began", "messages by kind", "MTUs of each billing month"):
        assert any(caption in words for words in reader.words)
    assert "only Sent" in reader.words
    assert reader.tags.count("table") == 4


def test_many_combinations_are_cut_to_the_largest() -> None:
    kinds = ["push.sent", "push.received", "iam.impression", "push.failed", "push.clicked"]
    messages = [
        happened(f"u-{bits}", f"message.{kind}")
        for bits in range(1, 32)
        for index, kind in enumerate(kinds)
        if bits & 1 << index
    ]
    _, reader = _read(findings_of(messages, EVERYTHING_KEPT))
    assert "19 other combinations" in reader.words


def test_a_chart_shows_the_latest_days_of_a_long_time() -> None:
    messages = [happened("u-1", SENT, f"{year}-0{month}-11T00:00") for year in (2024, 2025) for month in range(1, 10)]
    written, _ = _read(findings_of(messages, EVERYTHING_KEPT))
    ((days, _),) = re.findall(r"(MTUs since the month began</caption>.*?)(</table>)", written, re.DOTALL)
    assert "2025-09-11" in days
    assert "2024-09-11" not in days


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [(0, [0, 1]), (1, [0, 0.25, 0.5, 0.75, 1]), (9065, [0, 2500, 5000, 7500, 10_000]), (100, [0, 25, 50, 75, 100])],
)
def test_ticks_are_round_and_reach_the_highest(highest: float, ticks: list[float]) -> None:
    assert nice_ticks(highest) == pytest.approx(ticks)


@pytest.mark.parametrize(("value", "told"), [(0, "0"), (999, "999"), (2500, "2.5k"), (2e6, "2M"), (3e9, "3G")])
def test_numbers_on_axes_are_short(value: float, told: str) -> None:
    assert short_number(value) == told


def test_no_text_of_a_page_hides_reorders_or_forges_lines() -> None:
    hostile = "".join(f"\\U{ord(each):08x}" for each in EVERYTHING)
    text = f'rules: [{{name: "{hostile}", when: {{action: clicked, message_name: "{hostile}"}}, then: drop}}]'
    written, reader = _read(
        findings_of(MONTHS, EVERYTHING_KEPT, rule_set(text, EVERYTHING)), parse_prices("1", EVERYTHING)
    )
    assert [each for each in written.split("\n") if each != visible(each)] == []
    assert visible(EVERYTHING) in "".join(reader.words)
    assert reader.tags.count("script") == 1


def test_a_page_of_half_characters_can_be_written() -> None:
    written, _ = _read(findings_of(MONTHS, EVERYTHING_KEPT, rule_set("rules: []", "\udcff.yaml")))
    assert "\\udcff.yaml" in written
    assert written.encode()


SEGMENT_PRICE = {Destination.SEGMENT: parse_prices("10", "USD")}
BOTH_PRICES = {**SEGMENT_PRICE, Destination.MIXPANEL: parse_prices("0.5", "USD", Unit.EVENT)}


def test_both_destinations_stand_side_by_side_in_every_part() -> None:
    written, reader = _read_all(all_findings_of(MONTHS, EVERYTHING_KEPT, ENGAGEMENT, EXEMPT), BOTH_PRICES)
    assert reader.addresses == []
    assert reader.tags.count("article") == 6
    assert written.count('<div class="cards paired">') == 1
    assert written.count('<div class="beside"><div><h3>Segment</h3>') == 3
    assert written.count('class="chart" aria-hidden="true"') == 4
    assert "Cost of OneSignal&rsquo;s events in Segment and Mixpanel, by events and monthly tracked users" in written
    assert {"Mixpanel MTU", "keep-all (baseline), Mixpanel", "events/1,000 (guardrail)"} <= set(reader.words)
    assert "Price: 0.5 USD per event." in reader.words
    assert any("depends on the whole project, not only on OneSignal's events" in words for words in reader.words)


@pytest.mark.parametrize(
    ("charges", "told"),
    [
        (BOTH_PRICES, "saves 67 % of the MTUs (20.00 USD) at Segment, saves 83 % of the events (2.50 USD) at Mixpanel"),
        ({}, "saves 67 % of the MTUs at Segment, saves 83 % of the events at Mixpanel"),
        (
            {each: parse_prices("10", "USD") for each in Destination},
            "saves 67 % of the MTUs (20.00 USD) at Segment, saves 0 % of the MTUs (0.00 USD) at Mixpanel",
        ),
    ],
)
def test_the_headline_answers_for_each_destination(charges: dict[Destination, Prices], told: str) -> None:
    written, _ = _read_all(all_findings_of(TRAFFIC, EVERYTHING_KEPT, ENGAGEMENT), charges)
    assert f"<h1>engagement-only {told}, and loses no engagement</h1>" in written
    written, _ = _read_all(all_findings_of(TRAFFIC, EVERYTHING_KEPT), {})
    assert "<h1>keep-all costs 3 MTUs at Segment and 6 events at Mixpanel</h1>" in written


def test_engagements_that_only_one_destination_loses_are_told_there() -> None:
    nameless = [happened("", CLICKED)]
    dropping = account(
        Destination.MIXPANEL, Policy(records=MixpanelRecords(), anonymous_engagement=AnonymousPolicy.DROP)
    )
    only_named = rule_set("rules:\n  - {when: {anonymous: true}, then: drop}\n")
    found = all_findings_of(nameless, EVERYTHING_KEPT, only_named, accounts=[account(Destination.SEGMENT), dropping])
    written, _ = _read_all(found, {})
    assert "and loses 1 engagement at Segment and 0 engagements at Mixpanel</h1>" in written


def test_a_price_can_be_entered_for_each_destination_without_one() -> None:
    written, _ = _read_all(all_findings_of(TRAFFIC, EVERYTHING_KEPT), {})
    assert '<label for="price-segment">Your price per MTU</label>' in written
    assert '<label for="price-mixpanel">Your price per event</label>' in written
    assert 'step="0.000025" value="0.00025"' in written
    written, _ = _read_all(all_findings_of(TRAFFIC, EVERYTHING_KEPT), SEGMENT_PRICE)
    assert written.count('class="try"') == 1


def test_traffic_that_bills_nobody_has_a_page() -> None:
    sent = [happened("u-1", SENT)]
    _, reader = _read_all(all_findings_of(sent, EVERYTHING_KEPT, EXEMPT), BOTH_PRICES)
    assert "No event in the traffic counts." in reader.words


def test_a_destination_without_any_month_has_a_page_next_to_one_that_has() -> None:
    late = [RawMessage(value=encode(raw_event(CLICKED, datetime="1970-06-01T00:00:00Z", timestamp=None)), timestamp=-1)]
    for destinations in (all_findings_of(late, EVERYTHING_KEPT, ENGAGEMENT), all_findings_of([], EVERYTHING_KEPT)):
        _read_all(destinations, BOTH_PRICES)
        _read_all(destinations, {})
