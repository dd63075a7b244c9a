"""Rows of the reference tables: matching, wildcards, values."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import fits, reftables
from calacs.errors import RowNotFound, TableError
from calacs.header import Header
from calacs.observation import Observation

OBSERVATION = Observation.of(
    Header(
        [
            "ROOTNAME= 'x'",
            "DETECTOR= 'WFC'",
            "EXPTIME = 1.0",
            "EXPSTART= 55000.0",
            "EXPEND  = 55000.1",
            "SUBARRAY=                    F",
            "CCDAMP  = 'ABCD'",
            "CCDGAIN = 2.0",
        ]
    )
)


def table(**columns):
    """A table in memory from column names, forms and values."""
    made = [astropy_fits.Column(name, form, array=np.atleast_1d(values)) for name, (form, values) in columns.items()]
    return fits.read_table(
        astropy_fits.HDUList([astropy_fits.PrimaryHDU(), astropy_fits.BinTableHDU.from_columns(made)])
    )


def ccdtab(n=1, gain_form="E", **changes):
    columns = {name: ("I", [1] * n) for name in reftables.CCDTAB_COLUMNS}
    columns |= {"CCDAMP": ("4A", ["ABCD"] * n), "CCDGAIN": (gain_form, [2] * n), "CCDCHIP": ("I", [1] * n)}
    columns |= {f"CCDOFST{amp}": ("I", [3] * n) for amp in "ABCD"}
    columns |= {f"ATODGN{amp}": ("E", [2.0 + i / 10] * n) for i, amp in enumerate("ABCD")}
    columns |= {f"READNSE{amp}": ("E", [4.0 + i / 10] * n) for i, amp in enumerate("ABCD")}
    columns |= {f"CCDBIAS{amp}": ("E", [2000.0 + i] * n) for i, amp in enumerate("ABCD")}
    columns |= {"AMPX": ("I", np.arange(2048, 2048 + n)), "ATODSAT": ("J", [65535] * n)}
    columns |= {name: (columns[name][0], values) for name, values in changes.items()}
    return table(**columns)


def choose(made, chip=1, n_col=4144, **observation):
    return reftables.ccd_params(made, replace(OBSERVATION, **observation), chip, n_col)


# CCDTAB


def test_values_of_ccdtab():
    got = choose(ccdtab())
    assert got.gain == tuple(float(np.float32(value)) for value in (2.0, 2.1, 2.2, 2.3))
    assert got.read_noise == tuple(float(np.float32(value)) for value in (4.0, 4.1, 4.2, 4.3))
    assert got.bias == (2000.0, 2001.0, 2002.0, 2003.0)
    assert (got.amp_x, got.amp_y, got.atod_saturation) == (2048, 1, 65535)
    assert got.row == reftables.RowText(1)


def test_unused_amplifiers_have_zeros():
    got = choose(ccdtab(CCDAMP=["BC"]), ccdamp="BC")
    assert got.gain[0] == got.gain[3] == got.read_noise[0] == got.bias[3] == 0.0
    assert got.gain[1] == float(np.float32(2.1))


def test_ampx_is_limited_to_the_width():
    assert choose(ccdtab(), n_col=2000).amp_x == 2000


def test_the_first_row_that_matches_counts():
    got = choose(ccdtab(4, CCDCHIP=[2, 1, 1, 1]))
    assert got.row.number == 2
    assert got.amp_x == 2049


@pytest.mark.parametrize(
    "changes",
    [
        {"CCDAMP": ["ANY"]},
        {"CCDCHIP": [-1]},
        {"CCDCHIP": [-999]},
        {"CCDGAIN": [-1]},
        {"CCDGAIN": [-999]},
        {"CCDOFSTA": [-1]},
        {"CCDOFSTD": [-999]},
        {"BINAXIS1": [7], "BINAXIS2": [7]},
    ],
)
def test_rows_that_match(changes):
    assert choose(ccdtab(**changes)).row.number == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"CCDAMP": ["N/A"]},
        {"CCDAMP": ["ABC"]},
        {"CCDAMP": ["DCBA"]},
        {"CCDAMP": ["abcd"]},
        {"CCDAMP": ["any"]},
        {"CCDCHIP": [2]},
        {"CCDGAIN": [1]},
        {"CCDOFSTB": [2]},
        {"CCDOFSTC": [0]},
    ],
)
def test_rows_that_do_not_match(changes):
    with pytest.raises(
        RowNotFound, match=r"CCDAMP='ABCD' CCDGAIN=2 CCDCHIP=1 CCDOFSTA-D=\(3, 3, 3, 3\) \(1 rows"
    ) as caught:
        choose(ccdtab(**changes))
    assert caught.value.status == 141


@pytest.mark.parametrize(
    ("form", "value", "gain", "matches"),
    [
        ("J", 2, 2.7, True),
        ("K", 2, 2.7, True),
        ("J", 2, 3.0, False),
        ("I", 2, 2.7, False),
        ("I", 2, 2.0, True),
        ("E", 1.4, float(np.float32(1.4)), True),
        ("D", 1.4, float(np.float32(1.4)), True),
        ("E", 2.5, 2.0, False),
    ],
)
def test_gains(form, value, gain, matches):
    """Long integers are compared with the truncated gain, all other types in single precision."""
    made = ccdtab(gain_form=form, CCDGAIN=[value])
    if matches:
        assert choose(made, ccdgain=gain).row.number == 1
    else:
        with pytest.raises(RowNotFound):
            choose(made, ccdgain=gain)


def test_the_text_of_a_row():
    made = ccdtab()
    made._columns |= {"PEDIGREE": np.array(["DUMMY  "]), "DESCRIP": np.array(["words  "])}
    assert choose(made).row == reftables.RowText(1, "DUMMY", "words")


# OSCNTAB


def oscntab(n=1, **changes):
    columns = {name: ("I", [1] * n) for name in reftables.OSCNTAB_COLUMNS}
    columns |= {"CCDAMP": ("4A", ["ABCD"] * n), "NX": ("I", [4144] * n), "NY": ("I", [2068] * n)}
    columns |= {
        "TRIMX1": ("I", [24] * n),
        "TRIMY2": ("I", [20] * n),
        "TRIMY1": ("I", [0] * n),
        "VX2": ("I", [2072] * n),
    }
    columns |= {"BIASSECTA2": ("I", [24] * n), "BIASSECTB1": ("I", [0] * n), "BIASSECTB2": ("I", [0] * n)}
    columns |= {name: (columns[name][0], values) for name, values in changes.items()}
    return table(**columns)


def test_values_of_oscntab():
    got = reftables.overscan(oscntab(), OBSERVATION, 1, (2068, 4144))
    assert got.trim_x == (24, 1)
    assert got.trim_y == (0, 20)
    assert got.virtual_x == (0, 2071)
    assert got.section_a == (0, 23)
    assert got.section_b == (-1, -1)
    assert got.has_virtual_lines
    assert not replace(got, trim_y=(19, 0)).has_virtual_lines


@pytest.mark.parametrize("wild", [-1, -999])
@pytest.mark.parametrize("column", ["CCDCHIP", "BINX", "BINY", "NX", "NY"])
def test_wildcards_of_oscntab(column, wild):
    for made in (oscntab(**{column: [wild]}), oscntab(CCDAMP=["ANY"], **{column: [wild]})):
        assert reftables.overscan(made, OBSERVATION, 1, (2068, 4144)) is not None


OTHERS = {"CCDAMP": "N/A", "CCDCHIP": 2, "BINX": 2, "BINY": 2, "NX": 1, "NY": 1}


@pytest.mark.parametrize("changes", [{column: [value]} for column, value in OTHERS.items()])
def test_no_row_of_oscntab_is_no_error(changes):
    assert reftables.overscan(oscntab(**changes), OBSERVATION, 1, (2068, 4144)) is None


def test_the_first_row_of_oscntab_counts():
    got = reftables.overscan(oscntab(3, TRIMX1=[5, 6, 7], NX=[1, -1, 4144]), OBSERVATION, 1, (2068, 4144))
    assert (got.row.number, got.trim_x[0]) == (2, 6)


# BPIXTAB


def bpixtab(n=1, gain_form="J", drop=(), **changes):
    columns = {name: ("J", [1] * n) for name in reftables.BPIXTAB_COLUMNS}
    columns |= {"CCDAMP": ("4A", ["ABCD"] * n), "CCDGAIN": (gain_form, [2] * n), "VALUE": ("I", [4] * n)}
    columns |= {name: (columns[name][0], values) for name, values in changes.items()}
    return table(**{name: column for name, column in columns.items() if name not in drop})


def runs(made, chip=1, **observation):
    return reftables.bad_pixel_runs(made, replace(OBSERVATION, **observation), chip)


def test_all_rows_that_match_apply():
    made = bpixtab(
        7,
        CCDAMP=["ABCD", "ANY", "N/A", "A", "ABCD", "ABCD", "ABCD"],
        CCDCHIP=[1, -1, -999, 1, 2, 1, 1],
        CCDGAIN=[2, -1, -999, 2, 2, 4, 2],
        PIX1=range(7),
        VALUE=[1, 2, 4, 8, 16, 32, -32768],
    )
    got = runs(made)
    assert got.dtype == np.int32
    assert got.flags.c_contiguous
    assert got.tolist() == [[0, 1, 1, 1, 1], [1, 1, 1, 1, 2], [2, 1, 1, 1, 4], [6, 1, 1, 1, -32768]]


@pytest.mark.parametrize("drop", [("CCDAMP",), ("CCDGAIN",), ("CCDAMP", "CCDGAIN")])
def test_absent_columns_match_everything(drop):
    assert len(runs(bpixtab(drop=drop), ccdamp="D", ccdgain=2.0)) == ("CCDAMP" in drop)
    assert len(runs(bpixtab(drop=drop), ccdgain=8.0)) == ("CCDGAIN" in drop)


@pytest.mark.parametrize(("form", "gain", "n"), [("J", 2.9, 1), ("E", 2.9, 0), ("I", 2.9, 0), ("I", 2.0, 1)])
def test_gains_of_bpixtab(form, gain, n):
    assert len(runs(bpixtab(gain_form=form), ccdgain=gain)) == n


def test_no_rows():
    assert runs(bpixtab(CCDCHIP=[2])).shape == (0, 5)
    assert runs(bpixtab(0)).shape == (0, 5)


@pytest.mark.parametrize(("column", "value"), [("LENGTH", 0), ("LENGTH", -1), ("AXIS", 0), ("AXIS", 3)])
def test_bad_rows_are_errors_even_where_they_do_not_apply(column, value):
    with pytest.raises(TableError, match=rf"row 2: .*{column}={value}"):
        runs(bpixtab(2, CCDCHIP=[1, 2], **{column: [1, value]}))
