from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline.tools.what_if.prices import Unit, parse_prices


@pytest.mark.parametrize(
    ("price", "users", "cost"),
    [
        ("0.01", 0, "0"),
        ("0.01", 1234, "12.34"),
        ("0:0.012,25000:0.01", 25_000, "300"),
        ("0:0.012,25000:0.01", 25_001, "300.010"),
        ("0:0, 10000:0.02, 20000:0.01", 10_000, "0"),
        ("0:0, 10000:0.02, 20000:0.01", 30_000, "300"),
    ],
)
def test_each_user_costs_the_price_of_its_tier(price: str, users: int, cost: str) -> None:
    assert parse_prices(price).cost(users) == Decimal(cost)


@pytest.mark.parametrize("text", ["", "cheap", "-1", "0.01,0.02", "0:0.01,x:1", "1e3", "0:0.01;5:0.02", "٣"])
def test_what_is_no_price_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a price; write one such as `0\.01`"):
        parse_prices(text)


def test_the_first_tier_begins_at_nought() -> None:
    with pytest.raises(ValueError, match="has no price for the first 5 users"):
        parse_prices("5:0.01")


def test_events_have_prices_as_users_do() -> None:
    assert str(parse_prices("0:0.0003,1000000:0.0002", "USD", Unit.EVENT)) == (
        "0.0003 USD per event, 0.0002 USD beyond 1,000,000"
    )
    with pytest.raises(ValueError, match="has no price for the first 5 events"):
        parse_prices("5:0.01", unit=Unit.EVENT)


def test_tiers_rise() -> None:
    with pytest.raises(ValueError, match="not in ascending order"):
        parse_prices("0:0.01,10:0.02,10:0.03")


def test_amounts_carry_the_currency_and_lose_cents_where_they_do_not_matter() -> None:
    prices = parse_prices("0.01", "USD")
    assert prices.format(Decimal("1234.5")) == "1,234.50 USD"
    assert prices.format(Decimal("-1234567.8")) == "-1,234,568 USD"
    assert parse_prices("0.01").format(Decimal(1)) == "1.00"


def test_prices_are_told_in_words() -> None:
    assert str(parse_prices("0.01")) == "0.01 per MTU"
    assert str(parse_prices("0:0.012,25000:0.01", "USD")) == "0.012 USD per MTU, 0.01 USD beyond 25,000"
