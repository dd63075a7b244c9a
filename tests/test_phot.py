"""Photometry: observing modes, rows, interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trimmed
from calacs import acs2d, fits
from calacs.errors import TableError
from calacs.header import Header
from calacs.imphttab import NOT_EXTRAPOLATED, ObsMode, Row
from calacs.observation import Observation
from calacs.steps.phot import photmode_of

AXES = (np.array(trimmed.RAMP), np.array(trimmed.MJD))
GRID = np.arange(24.0) ** 1.5


def mode(wavelength=6500.0, mjd=53000.0):
    return ObsMode.of(f"ACS WFC1 FR656N#{wavelength!r} MJD#{mjd!r}")


def header(**keywords):
    made = Header()
    values = trimmed.KEYWORDS | trimmed.CCD_KEYWORDS | {"NEXTEND": 3, "DETECTOR": "WFC"} | keywords
    for key, value in values.items():
        if value is not None:
            made.set(key, value)
    return made


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({}, "ACS WFC1 F606W MJD#53000.2500"),
        ({"DETECTOR": "SBC", "FILTER1": "F115LP", "FILTER2": None}, "ACS SBC F115LP  MJD#53000.2500"),
        ({"DETECTOR": "HRC", "OBSTYPE": "CORONAGRAPHIC"}, "ACS HRC CORON F606W MJD#53000.2500"),
        ({"FILTER1": "CLEAR1L", "FILTER2": "POL60UV"}, "ACS WFC1 POL_UV MJD#53000.2500"),
        ({"FILTER2": "POL0V"}, "ACS WFC1 F606W POL_V MJD#53000.2500"),
        ({"FILTER1": "N/A", "FILTER2": "N/A"}, "ACS WFC1 MJD#53000.2500"),
        ({"FILTER1": "FR914M", "LRFWAVE": 8344.75}, "ACS WFC1 FR914M#8345 MJD#53000.2500"),
        ({"FILTER1": "FR914M", "LRFWAVE": 10123.0}, "ACS WFC1 FR914M#1.012e+04 MJD#53000.2500"),
        ({"FILTER1": "FR914M"}, "ACS WFC1 FR914M#-1 MJD#53000.2500"),
        ({"FILTER1": "", "EXPSTART": 0.0}, "ACS WFC1  MJD#0.0000"),
    ],
)
def test_the_observing_mode_is_spelled_out(keywords, text):
    made = header(**keywords)
    assert photmode_of(Observation.of(made), made) == text


def test_an_observing_mode_is_taken_apart():
    made = ObsMode.of("ACS WFC1  FR656N#6500 POL_UV MJD#53000.2500")
    assert made.key == "acs,wfc1,fr656n#,pol_uv,mjd#"
    assert made.parameters == (("fr656n#", 6500.0), ("mjd#", 53000.25))
    assert made.value("FR656N#") == 6500.0
    assert made.value("mj") == 53000.25
    assert made.value("other#") == made.value("") == 0.0


@pytest.mark.parametrize(
    ("row", "matches"),
    [
        ("acs,wfc1,f814w,MJD#", True),
        ("MJD#,F814W,acs,wfc1", True),
        ("acs,wfc1,f814w", False),
        ("acs,wfc1,f814w,MJD#x", False),
        ("acs,wfc1,f606w,MJD#", False),
        ("acs,wfc1,f8,14w,mjd", True),  # pieces that occur somewhere, of the same length
    ],
)
def test_rows_are_compared_by_terms(row, matches):
    assert ObsMode.of("ACS WFC1 F814W MJD#53000.0").matches(row) == matches


@given(st.floats(6274, 6848), st.floats(52334, 59214))
def test_interpolation_is_linear_in_each_parameter(wavelength, mjd):
    along_time = [np.interp(mjd, AXES[1], GRID.reshape(6, 4)[:, i]) for i in range(4)]
    want = np.interp(wavelength, AXES[0], along_time)
    got = Row(("FR656N#", "MJD#"), AXES, GRID).evaluate(mode(wavelength, mjd), extrapolate=False)
    assert got == pytest.approx(want, rel=1e-12)


def test_grid_points_are_hit():
    row = Row(("FR656N#", "MJD#"), AXES, GRID)
    for i, wavelength in enumerate(AXES[0]):
        for j, mjd in enumerate(AXES[1]):
            got = row.evaluate(mode(float(wavelength), float(mjd)), extrapolate=False)
            assert got == pytest.approx(GRID[i + 4 * j], rel=1e-14)


@pytest.mark.parametrize("mjd", [50000.0, 60000.0])
def test_only_the_date_is_extrapolated_and_only_if_allowed(mjd):
    row = Row(("MJD#",), (np.array([52000.0, 53000.0]),), np.array([1.0, 3.0]))
    made = ObsMode.of(f"ACS WFC1 F814W MJD#{mjd}")
    assert row.evaluate(made, extrapolate=False) == NOT_EXTRAPOLATED
    assert row.evaluate(made, extrapolate=True) == pytest.approx(1.0 + 2.0 * (mjd - 52000.0) / 1000.0)
    ramp = Row(("FR656N#", "MJD#"), AXES, GRID)
    assert ramp.evaluate(mode(6900.0), extrapolate=True) == NOT_EXTRAPOLATED
    assert ramp.evaluate(mode(6500.0, mjd), extrapolate=True) != NOT_EXTRAPOLATED
    turned = Row(("MJD#", "FR656N#"), AXES[::-1], GRID)
    assert turned.evaluate(mode(6500.0, mjd), extrapolate=True) == NOT_EXTRAPOLATED


@pytest.mark.parametrize(("wavelength", "mjd"), [(0.0, 53000.0), (6500.0, 0.0)])
def test_a_parameter_of_0_gives_0(wavelength, mjd):
    assert Row(("FR656N#", "MJD#"), AXES, GRID).evaluate(mode(wavelength, mjd), extrapolate=True) == 0.0


def test_equal_neighbors_give_0():
    row = Row(("MJD#",), (np.array([53000.0, 53000.0, 54000.0]),), np.array([1.0, 2.0, 3.0]))
    assert row.evaluate(ObsMode.of("ACS MJD#53000.0"), extrapolate=True) == pytest.approx(2.0)
    flat = Row(("MJD#",), (np.array([53000.0, 53000.0]),), np.array([1.0, 2.0]))
    assert flat.evaluate(ObsMode.of("ACS MJD#53000.0"), extrapolate=True) == 0.0


def exposure(mjd=53000.25, **keywords):
    hdus, refs = trimmed.in_memory(
        trimmed.science(keywords={"PHOTCORR": "PERFORM", "EXPSTART": mjd} | keywords, chips=(2, 1), detector="WFC"),
        trimmed.references(used=("CCDTAB", "IMPHTTAB"), chips=(2, 1), detector="WFC"),
    )
    return fits.as_exposure(hdus), refs


@pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")
def test_what_is_outside_the_table_is_skipped():
    made, refs = exposure(FILTER1="FR656N", LRFWAVE=7000.0)
    made = acs2d.run(made, **refs)
    first, second = (imset.header["SCI"] for imset in made)
    assert [first.get(key) for key in ("PHOTFLAM", "PHOTZPT", "PHOTPLAM", "PHOTBW")] == [
        -9999.0,
        -21.1,
        -9999.0,
        -9999.0,
    ]
    assert "PHOTFLAM" not in second
    assert second.get("PHOTMODE") == first.get("PHOTMODE")
    assert made.primary.get("PHOTCORR") == "SKIPPED"
    assert "PHOTCORR not performed ..." in made.primary.history


def test_grids_that_are_too_short():
    made, refs = exposure()
    short = trimmed.imphttab(("acs,wfc1,f606w,MJD#", ["MJD#"], [[53000.25]]))
    with pytest.raises(TableError, match="NELEM1 = 1"):
        acs2d.run(made, **refs | {"imphttab": trimmed.to_hdulist(short)})


def test_a_table_in_a_file_and_in_memory_are_the_same(tmp_path):
    made, refs = exposure(FILTER1="FR656N", LRFWAVE=6500.0)
    path = trimmed.write(tmp_path / "imp.fits", trimmed.imphttab(detector="wfc1"))
    one, other = acs2d.run(made, **refs), acs2d.run(made, **refs | {"imphttab": path})
    for a, b in zip(one, other, strict=True):
        assert a.header["SCI"].cards == b.header["SCI"].cards
