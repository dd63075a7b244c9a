"""PCTETAB: what is read, and what is refused."""

import gzip
import os

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import ctetab, sim
from calacs.errors import (
    ColumnNotFound,
    FileNotReadable,
    HeaderProblem,
    InvalidValue,
    KeywordMissing,
    TableError,
    Unsupported,
)
from ctehelpers import N_TAIL, PARALLEL, SERIAL, USED, trap_set, trap_table


@pytest.fixture(scope="module")
def hdus():
    return trap_table()


@pytest.fixture(scope="module")
def file(tmp_path_factory, hdus):
    path = tmp_path_factory.mktemp("cte") / "x_cte.fits"
    hdus.writeto(path)
    return path


def same_set(traps, hdus, number, cards):
    qprof, scale = hdus[4 * number - 3].data, hdus[4 * number - 2].data
    assert (traps.date0, traps.date1) == (cards["CTEDATE0"], cards["CTEDATE1"])
    assert (traps.n_tail, traps.n_iteration, traps.n_transfer) == tuple(
        cards[key] for key in ("PCTETLEN", "PCTENFOR", "PCTENPAR")
    )
    np.testing.assert_array_equal(traps.charge, qprof["QLEV_Q"][:USED])
    np.testing.assert_array_equal(traps.capture, qprof["DPDE_W"][:USED].astype(np.float64))
    np.testing.assert_array_equal(traps.index, scale["IZ"])
    np.testing.assert_array_equal(traps.nodes[:, 2], scale["SENS_1536"].astype(np.float64))
    np.testing.assert_array_equal(traps.release, hdus["RPROF", number].data[:, :USED])
    np.testing.assert_array_equal(traps.held, hdus["CPROF", number].data[:, :USED])
    assert traps.n_profile == N_TAIL


@pytest.mark.parametrize("where", ["memory", "file", "compressed file"])
def test_generation_3(where, hdus, file, tmp_path):
    source = hdus if where == "memory" else file
    if where == "compressed file":
        source = tmp_path / "x_cte.fits.gz"
        source.write_bytes(gzip.compress(file.read_bytes(), 1))
    table = ctetab.read(source)
    assert (table.generation, table.name, table.version) == (3, "Par/Serial PixelCTE 2023", "1.2")
    assert (table.read_noise, table.noise_model, table.oversubtraction, table.fix_cosmic_rays) == (4.3, 0, -10.0, True)
    same_set(table.parallel, hdus, 1, PARALLEL)
    for number, amp in enumerate("ABCD", 2):
        same_set(table.serial[amp], hdus, number, SERIAL)


def test_generation_2_keeps_its_parameters_in_the_primary_header():
    hdus = trap_table(2)
    table = ctetab.read(hdus)
    assert table.generation == 2
    assert not table.serial
    same_set(table.parallel, hdus, 1, PARALLEL)


@pytest.mark.parametrize("generation", [2, 3])
def test_simulated_tables(generation):
    made = sim.ReferenceSet("WFC", cte_generation=generation)
    table = ctetab.read(sim.files.to_hdulist(made.hdus("PCTETAB")))
    assert table.generation == generation
    assert np.all(np.diff(table.parallel.charge) >= 0)


def test_the_last_file_is_kept_until_it_changes(file):
    first = ctetab.read(file)
    assert ctetab.read(str(file)) is first
    os.utime(file, ns=(1, 1))
    assert ctetab.read(file) is not first


def test_arrays_cannot_be_written_to(hdus):
    traps = ctetab.read(hdus).parallel
    with pytest.raises(ValueError, match="read-only"):
        traps.charge[0] = 1


def test_rows_beyond_the_usual_number_are_ignored(hdus):
    hdus = trap_table()
    data = hdus[1].data
    longer = astropy_fits.BinTableHDU(np.concatenate([data, data[:1]]), hdus[1].header)
    hdus[1] = longer
    same_set(ctetab.read(hdus).parallel, hdus, 1, PARALLEL)


def test_constant_profiles(tmp_path, hdus):
    constant = astropy_fits.ImageHDU(name="CPROF", ver=1)
    constant.header.update({"PIXVALUE": 0.25, "NPIX1": 9999, "NPIX2": N_TAIL})
    path = tmp_path / "constant.fits"
    astropy_fits.HDUList([*hdus[:4], constant, *hdus[5:]]).writeto(path)
    held = ctetab.read(path).parallel.held
    assert held.shape == (N_TAIL, USED)
    assert np.all(held == 0.25)


def test_columns_counted_from_0_or_from_1():
    counted = [ctetab.read(trap_table(2, first=first)).parallel for first in (0, 1)]
    assert [traps.n_uncovered(0, 2048) for traps in counted] == [0, 1]
    assert [traps.n_uncovered(2048, 2048) for traps in counted] == [0, 0]
    assert [traps.n_uncovered(6144, 2100) for traps in counted] == [52, 51]


def test_fraction_is_not_limited(hdus):
    traps = ctetab.read(hdus).parallel
    span = traps.date1 - traps.date0
    assert traps.fraction(traps.date0) == 0.0
    assert traps.fraction(traps.date1) == 1.0
    assert traps.fraction(traps.date0 - span) == -1.0


def change(row, column, value, unit=1):
    def apply(hdus):
        hdus[unit].data[column][row] = value

    return apply


def pixel(unit, value):
    def apply(hdus):
        hdus[unit].data[3, 4] = value

    return apply


def without(unit, keyword):
    def apply(hdus):
        del hdus[unit].header[keyword]

    return apply


def keyword(unit, name, value):
    def apply(hdus):
        hdus[unit].header[name] = value

    return apply


def drop(unit):
    def apply(hdus):
        del hdus[unit]

    return apply


def drop_column(unit, name):
    def apply(hdus):
        columns = [column for column in hdus[unit].columns if column.name != name]
        hdus[unit] = astropy_fits.BinTableHDU.from_columns(columns, hdus[unit].header)

    return apply


def shorten(unit, n):
    def apply(hdus):
        hdus[unit] = astropy_fits.BinTableHDU(hdus[unit].data[:-n], hdus[unit].header)

    return apply


def wide_column_number(hdus):
    columns = [column for column in hdus[2].columns if column.name != "IZ"]
    index = np.arange(8192)
    index[6] = 2**40
    columns.append(astropy_fits.Column("IZ", "K", array=index))
    hdus[2] = astropy_fits.BinTableHDU.from_columns(columns, hdus[2].header)


def crop(unit, rows, cols):
    def apply(hdus):
        hdus[unit].data = hdus[unit].data[:rows, :cols].copy()

    return apply


WRONG = [
    (
        keyword(0, "CTE_NAME", "PixelCTE 2012"),
        Unsupported,
        "generation 1; use a table with 'PixelCTE 2017' .generation 2. or",
    ),
    (keyword(0, "CTE_NAME", "PixelCTE 2031"), Unsupported, "unknown; use"),
    (without(0, "CTE_NAME"), Unsupported, "no CTE_NAME: it is of generation 1"),
    *((without(0, key), KeywordMissing, key) for key in ("CTE_VER", "PCTERNOI", "PCTENSMD", "PCTETRSH", "FIXROCR")),
    *((without(5, key), KeywordMissing, rf"\[QPROF,2\]: the keyword {key}") for key in SERIAL),
    (keyword(0, "FIXROCR", 2), InvalidValue, "FIXROCR = 2 is invalid; it must be 0 or 1"),
    (keyword(0, "PCTETRSH", "low"), HeaderProblem, "PCTETRSH"),
    (keyword(1, "PCTENFOR", 2.5), HeaderProblem, "PCTENFOR"),
    (keyword(1, "PCTENPAR", 0), InvalidValue, "PCTENPAR = 0 is invalid; it must be 1 or more"),
    (keyword(9, "PCTETLEN", -3), InvalidValue, r"\[QPROF,3\]: PCTETLEN = -3"),
    (keyword(1, "PCTETLEN", N_TAIL + 1), TableError, r"\[RPROF,1\]: NAXIS2 = 12 is less than PCTETLEN = 13"),
    (keyword(1, "CTEDATE1", PARALLEL["CTEDATE0"]), InvalidValue, "CTEDATE0 and CTEDATE1 are both 52334.86"),
    (change(7, "QLEV_Q", 3), TableError, r"\[QPROF,1\]: column QLEV_Q falls from .* in row 8; sort"),
    (change(slice(None), "QLEV_Q", 999999), TableError, "no QLEV_Q below 999999"),
    (change(9, "DPDE_W", np.nan), TableError, r"\[QPROF,1\]: column DPDE_W row 10 is nan"),
    (change(8191, "SENS_2048", np.inf, unit=18), TableError, r"\[SCLBYCOL,5\]: column SENS_2048 row 8192 is inf"),
    (wide_column_number, TableError, r"\[SCLBYCOL,1\]: column IZ row 7 is 1.09951e\+12; column numbers are 0 to 8192"),
    (pixel(3, np.nan), TableError, r"\[RPROF,1\]: level 5, tail pixel 4 is nan"),
    (pixel(20, np.inf), TableError, r"\[CPROF,5\]: level 5, tail pixel 4 is inf"),
    (drop_column(1, "W"), ColumnNotFound, "lacks the columns W"),
    (drop_column(2, "SENS_1024"), ColumnNotFound, "lacks the columns SENS_1024"),
    (shorten(1, 1), TableError, "9998 rows, a PCTETAB has 9999; complete the table with rows of QLEV_Q = 999999"),
    (shorten(6, 2), TableError, r"\[SCLBYCOL,2\]: 8190 rows, a PCTETAB has 8192"),
    (crop(3, N_TAIL, USED - 1), TableError, r"\[RPROF,1\]: NAXIS1 = 59, but QPROF has 60 levels"),
    (crop(4, N_TAIL - 1, 9999), TableError, "they must agree"),
    (drop(20), FileNotReadable, r"no extension \[CPROF,5\]"),
    (drop(1), TableError, "extension"),
]


@pytest.mark.parametrize(("apply", "error", "words"), WRONG)
def test_wrong_tables(apply, error, words):
    hdus = trap_table()
    apply(hdus)
    with pytest.raises(error, match=words):
        ctetab.read(hdus)


def test_missing_and_damaged_files(tmp_path, file):
    with pytest.raises(FileNotReadable, match="no such file"):
        ctetab.read(tmp_path / "absent.fits")
    path = tmp_path / "cut.fits"
    path.write_bytes(file.read_bytes()[:300000])
    with pytest.raises(FileNotReadable, match="truncated"):
        ctetab.read(path)


def test_a_number_per_row_is_needed():
    hdus = trap_table()
    hdus[1] = astropy_fits.BinTableHDU.from_columns(
        [
            astropy_fits.Column("QLEV_Q", "8A", array=["many"] * 9999) if column.name == "QLEV_Q" else column
            for column in trap_set(1, 1, PARALLEL)[0].columns
        ],
        hdus[1].header,
    )
    with pytest.raises(TableError, match="QLEV_Q is .*; it must hold one number a row"):
        ctetab.read(hdus)
