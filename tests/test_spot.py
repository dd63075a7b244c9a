"""Coronagraphic spots: shift against its oracle, dates, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calacs._core import spot as core
from calacs.errors import HeaderProblem, KernelError, TableError
from calacs.fits import Table
from calacs.header import Header
from calacs.steps.spot import choose_shift, shift_spots
from helpers import at_once, read_only, same_bits, same_values
from oracles import spot as oracle

IMAGE = np.random.default_rng(1).normal(1, 0.2, (8, 11)).astype(np.float32)
SHIFTS = st.floats(-12, 12, width=32)


@given(SHIFTS, SHIFTS)
def test_the_shift_matches_the_oracle(dx, dy):
    got = shift_spots(IMAGE, (dx, dy), 0, 8)
    assert all(map(same_values, got, oracle.shift(IMAGE, dx, dy)))


@given(SHIFTS, SHIFTS, st.integers(0, 8), st.integers(0, 8))
def test_some_rows_are_those_of_the_whole(dx, dy, one, other):
    first, last = sorted((one, other))
    whole = shift_spots(IMAGE, (dx, dy), 0, 8)
    assert all(
        same_bits(a, b[first:last]) for a, b in zip(shift_spots(IMAGE, (dx, dy), first, last), whole, strict=True)
    )


def test_whole_pixels_move_as_they_are():
    sci, err = shift_spots(IMAGE, (2.0, 3.0), 0, 8)
    assert same_bits(sci[3:, 2:], IMAGE[:5, :9])
    assert (sci[:3] == 1).all()
    assert (sci[:, :2] == 1).all()
    assert same_bits(err, np.sqrt(sci))


def test_the_neighbor_of_the_last_column_is_in_the_next_row():
    sci, _ = shift_spots(IMAGE, (-0.5, 0.0), 0, 8)
    assert sci[2, -1] == np.float32(0.5) * IMAGE[2, -1] + np.float32(0.5) * IMAGE[3, 0]


def test_bad_input():
    out = np.empty((2, 11), np.float32), np.empty((2, 11), np.float32)
    with pytest.raises(KernelError):
        core.shift(IMAGE, 0.0, 0.0, 7, *out)
    with pytest.raises(KernelError):
        core.shift(IMAGE, 0.0, 0.0, -1, *out)
    with pytest.raises(ValueError, match="11 pixels"):
        core.shift(IMAGE, 0.0, 0.0, 0, out[0][:, :5].copy(), out[1][:, :5].copy())
    with pytest.raises(ValueError, match="shape"):
        core.shift(IMAGE, 0.0, 0.0, 0, out[0], out[1][:1])
    core.shift(*read_only(IMAGE), 0.0, 0.0, 0, *out)
    with pytest.raises(ValueError, match="read-only"):
        core.shift(IMAGE, 0.0, 0.0, 0, *read_only(*out))


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    want = oracle.shift(IMAGE, 1.25, -0.5)
    for got in at_once(n_thread, lambda: shift_spots(IMAGE, (1.25, -0.5), 0, 8)):
        assert all(map(same_values, got, want))


# Dates


def table(*dates):
    numbers = np.arange(len(dates), dtype=np.float32)
    columns = {"DATE": np.array(dates or ["x"], str)[: len(dates)], "SHIFTX": numbers + 0.25, "SHIFTY": -numbers}
    return Table("spots.fits", Header(), Header(), len(dates), columns)


@pytest.mark.parametrize(
    ("observed", "dates", "row"),
    [
        ("2003-12-27", ["01/01/02", "26/12/03", "01/01/05"], 1),
        ("2003-12-27", ["26/12/03", "28/12/03"], 0),  # 12 h after the first noon, 36 h before the second
        ("2003-12-27", ["27/12/03", "26/12/03"], 0),  # equally near: the first
        ("2003-12-27", ["26/12/03", "27/12/03"], 0),
        ("2003-02-03", ["01/02/03", "31/01/03"], 1),  # the 31st of the month after January is the 3rd of March
        ("2003-12-31", ["1-1-04", " 5 06 04"], 0),
        ("2003-06-01", ["01/06/2003", "01/01/10"], 1),  # a year of four digits is in the 40th century
    ],
)
def test_the_nearest_date_counts(observed, dates, row):
    assert choose_shift(table(*dates), observed) == (row, (row + 0.25, -float(row)))


@pytest.mark.parametrize("date", ["", "2003", "2003-12"])
def test_a_date_of_observation_that_cannot_be_read(date):
    with pytest.raises(HeaderProblem, match="DATE-OBS"):
        choose_shift(table("01/01/03"), date)


def test_tables_that_cannot_be_used():
    with pytest.raises(TableError, match=r"spots\.fits: row 2: DATE 'soon'"):
        choose_shift(table("01/01/03", "soon"), "2003-12-27")
    with pytest.raises(TableError, match="empty"):
        choose_shift(table(), "2003-12-27")
