"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits.units import format_number, parse_number


@pytest.mark.parametrize("text, value", [
    ("1MEG", 1e6), ("1meg", 1e6), ("1M", 1e-3), ("5f", 5e-15), ("5F", 5e-15), ("5fF", 5e-15), ("10uF", 10e-6),
    ("4k7", 4700.0), ("2R2", 2.2), ("1m5", 1.5e-3), ("1R", 1.0), ("10kohm", 1e4), ("10kΩ", 1e4), ("22n", 22e-9),
    ("22µ", 22e-6), ("100pF", 100e-12), (".5", 0.5), ("1e3", 1e3), ("1e-3k", 1.0), ("-2.5", -2.5), ("1.2MA", 1.2e-3),
    ("1mil", 25.4e-6), ("3V", 3.0), ("9Volts", 9.0), ("1T", 1e12), ("2G", 2e9), ("1MegOhm", 1e6), ("0", 0.0),
    ("12.", 12.0), ("1M5", 1.5e-3), ("2.2e-6F", 2.2e-21), ("100Hz", 100.0), ("1A", 1e-18), ("1MEG5", 1.5e6), ("1e6", 1e6)])
def test_parse(text, value):
    assert parse_number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "abc", "1..2", "k7", "1,5k", "4.5k7", "--1", "1 k", "nan", "inf", "0x10"])
def test_refuse(text):
    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)


@given(st.floats(min_value=1e-14, max_value=1e14))
def test_round_trip(value):
    assert parse_number(format_number(value, digits=15)) == pytest.approx(value, rel=1e-14)
