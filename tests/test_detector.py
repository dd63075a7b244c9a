"""Geometry: corners, alignment of references, quadrants of amplifiers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calacs.detector import Geometry, align, nearest, quadrants, trimmed_shape
from calacs.errors import HeaderProblem, InvalidValue, ReferenceCoarser, SizeMismatch, TableError
from calacs.exposure import ImSet
from calacs.header import Header


def imset(shape=(10, 20), chip=1, ltv=(0.0, 0.0)):
    header = Header(where="x.fits[SCI,1]")
    header.set("CCDCHIP", chip)
    header.set("LTV1", ltv[0])
    header.set("LTV2", ltv[1])
    plane = np.zeros(shape, np.float32)
    return ImSet(1, plane, plane, plane.astype(np.int16), {"SCI": header})


def geometry(corner, shape=(100, 200), binning=1):
    """An image whose first pixel is at a corner (x, y)."""
    ltm = 1.0 / binning
    return Geometry(shape, tuple((1.0 / ltm - 1.0 - c) * ltm for c in corner), (ltm, ltm))


@pytest.mark.parametrize(("value", "want"), [(0.5, 1), (-0.5, -1), (2.4, 2), (-2.4, -2), (0.0, 0), (-24.0, -24)])
def test_nearest(value, want):
    assert nearest(value) == want


CORNERS = [((24.0, 0.0), (-24, 0)), ((19.0, 20.0), (-19, -20)), ((-1000.0, -500.4), (1000, 500)), ((0.0, 0.5), (0, -1))]


@pytest.mark.parametrize(("ltv", "corner"), CORNERS)
def test_corners(ltv, corner):
    assert Geometry.of(imset(ltv=ltv).header["SCI"], (10, 20)).corner == corner


def test_defaults():
    made = Geometry.of(Header(), (3, 4))
    assert made == Geometry((3, 4), (0.0, 0.0), (1.0, 1.0))
    assert made.binning == (1, 1)
    assert made.corner == (0, 0)


@pytest.mark.parametrize("ltm", [0.0, -1.0])
def test_scales_must_be_positive(ltm):
    header = Header(where="x.fits")
    header.set("LTM2_2", ltm)
    with pytest.raises(InvalidValue, match=r"x\.fits: \(LTM1_1, LTM2_2\)"):
        Geometry.of(header, (3, 4))
    header.set("LTM2_2", "one")
    with pytest.raises(HeaderProblem):
        Geometry.of(header, (3, 4))


@given(st.integers(-50, 4000), st.integers(-50, 2000), st.sampled_from([1, 2, 4]))
def test_corner_and_binning_come_back(x, y, binning):
    made = geometry((x, y), binning=binning)
    assert made.corner == (x, y)
    assert made.binning == (binning, binning)


def test_the_same_frame():
    assert align(geometry((-24, 0)), geometry((-24, 0)), name="r").same


def test_the_number_of_rows_is_compared_on_request_only():
    science, reference = geometry((0, 0), (90, 200)), geometry((0, 0), (100, 200))
    assert align(science, reference, name="r").same
    got = align(science, reference, name="r", check_rows=True)
    assert not got.same
    assert (got.x, got.y) == (0, 0)


def test_a_part_of_the_reference():
    got = align(geometry((1000, 500), (50, 60)), geometry((-24, 0), (2068, 4144)), name="r")
    assert (got.same, got.x, got.y, got.ratio) == (False, 1024, 500, (1, 1))


def test_binned_science():
    got = align(geometry((0, 0), (50, 60), binning=2), geometry((0, 0)), name="r")
    assert got.ratio == (2, 2)


def test_a_coarser_reference():
    got = align(geometry((10, 10), (50, 60)), geometry((0, 0), binning=2), name="r")
    assert got.reference_coarser
    assert (got.x, got.y, got.ratio) == (5, 5, (2, 2))
    with pytest.raises(ReferenceCoarser, match="r: .*binned"):
        align(geometry((0, 0), (50, 60)), geometry((0, 0), binning=2), name="r", check_rows=True)


def test_binnings_that_do_not_divide():
    with pytest.raises(SizeMismatch, match="r: binning"):
        align(geometry((0, 0), binning=3), geometry((0, 0), binning=2), name="r")


@pytest.mark.parametrize(
    ("detector", "chip", "split", "used", "want"),
    [
        # WFC: the pair of the chip in both bands; lower left, lower right, upper left, upper right.
        ("WFC", 2, (8, 0), "ABCD", (3, 4, 3, 4)),
        ("WFC", 1, (8, 0), "ABCD", (1, 2, 1, 2)),
        ("WFC", 1, (20, 0), "A", (1, 0, 1, 0)),
        ("WFC", 2, (0, 0), "D", (0, 4, 0, 4)),
        # HRC
        ("HRC", 1, (0, 0), "C", (0, 3, 0, 3)),
        ("HRC", 1, (0, 0), "BD", (0, 2, 0, 2)),
        ("HRC", 1, (8, 5), "ABCD", (3, 4, 1, 2)),
        ("HRC", 1, (8, 0), "AD", (1, 4, 1, 4)),
        ("HRC", 1, (8, 0), "BC", (3, 2, 3, 2)),
    ],
)
def test_quadrants(detector, chip, split, used, want):
    values = tuple(float(number) if amp in used else 0.0 for number, amp in enumerate("ABCD", 1))
    got = quadrants(imset(chip=chip), detector, split, values, values, "gain")
    assert got.values == want


@pytest.mark.parametrize(
    ("split", "ltv", "col", "row"),
    [
        ((8, 0), (0.0, 0.0), 8, 0),
        ((8, 5), (2.0, 1.0), 10, 6),
        ((8, 0), (-100.0, 0.0), 8, 0),
        ((18, 0), (2.0, 0.0), 20, 0),
        ((17, 0), (2.0, 0.0), 20, 0),
        ((4144, 0), (0.0, 0.0), 20, 0),
        ((8, 9), (0.0, 1.5), 8, 10),
    ],
)
def test_borders(split, ltv, col, row):
    got = quadrants(imset(ltv=ltv), "WFC", split, (1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0, 4.0), "gain")
    assert (got.col, got.row) == (col, row)


@pytest.mark.parametrize(("split", "used"), [((0, 0), "A"), ((20, 0), "B"), ((8, 0), "B")])
def test_a_value_of_zero_is_refused(split, used):
    values = tuple(1.0 if amp in used else 0.0 for amp in "ABCD")
    with pytest.raises(TableError, match="no valid read noise for chip 1.*check AMPX"):
        quadrants(imset(), "WFC", split, values, values, "read noise")


def test_a_zero_at_the_right_is_not_seen():
    """As officially: that half is multiplied by 0."""
    got = quadrants(imset(), "WFC", (8, 0), (1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), "gain")
    assert got.values[1] == 0.0


def test_trimmed_shape():
    assert trimmed_shape((2068, 4144), (24, 24), (20, 0)) == (2048, 4096)
