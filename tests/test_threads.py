"""Several threads of the caller use the package at once: same results, and nothing of the process is left changed."""

import os
import subprocess
import sys
import sysconfig
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import astropy.table  # noqa: F401  (adds a filter of warnings)
import pytest

import pipeline
from calacs import acsccd, calacs, fits
from calacs.log import log
from calacs.sim import files
from helpers import same_bits

pytestmark = pytest.mark.filterwarnings("ignore:.*(has no row for|no overscan region):calacs.CalacsWarning")

N = 6


def all_at_once(*calls):
    """Results of calls that begin together, each on a thread of its own."""
    barrier = Barrier(len(calls))

    def begin(call):
        barrier.wait(timeout=60)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(begin, call) for call in calls]]


def process_state():
    return log.level, log.propagate, list(log.handlers), list(warnings.filters)


@pytest.fixture(autouse=True)
def _process_is_left_as_it_was():
    mask, before = os.umask(0o027), process_state()
    try:
        yield
        assert process_state() == before
    finally:
        left = os.umask(mask)
    assert left == 0o027


def same_exposures(first, second):
    return all(
        same_bits(one.plane(name), other.plane(name)) and one.header[name].cards == other.header[name].cards
        for one, other in zip(first.imsets, second.imsets, strict=True)
        for name in ("SCI", "ERR", "DQ")
    )


@pytest.mark.parametrize("detector", ["HRC", "WFC", "SBC"])
def test_runs_in_memory(observed, tmp_path, detector):
    raw = observed.single(tmp_path, detector)
    exposure, alone = fits.read_exposure(raw), calacs.run(raw)
    runs = all_at_once(
        *[lambda i=i: calacs.run(raw if i % 2 else exposure, n_threads=1 + i % 3) for i in range(N)],
    )
    for products in runs:
        assert list(products) == list(alone)
        assert all(same_exposures(products[suffix], alone[suffix]) for suffix in alone)


def test_runs_in_files(observed, tmp_path, monkeypatch):
    folders = [tmp_path / f"{i}" for i in range(N + 1)]
    inputs = [observed.association(folder, "CR-SPLIT") for folder in folders]
    calacs.calacs(inputs[0], quiet=True)
    all_at_once(*[lambda table=table: calacs.calacs(table, quiet=True) for table in inputs[1:]])
    expected = pipeline.contents(folders[0])
    lines = {path.name: len(path.read_text().splitlines()) for path in folders[0].glob("*.tra")}
    assert lines
    for folder in folders[1:]:
        assert pipeline.contents(folder) == expected
        assert {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.tra")} == lines
        assert not list(folder.glob(".*"))
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in folders[1].glob("*_crj.fits")} == {0o640}


def test_one_file_is_written_by_many(observed, tmp_path):
    exposure, path = acsccd.run(observed.single(tmp_path)), tmp_path / "x_blv.fits"
    all_at_once(*[lambda: fits.write_exposure(exposure.copy(), path, clobber=True)] * N)
    assert same_exposures(fits.read_exposure(path), exposure)
    assert not list(tmp_path.glob(".*"))


def test_rare_tables(tmp_path):
    column = files.table_hdu([files.Column("A", "I", [1, 3])], [files.card("TSCAL1", 0.5), files.card("TZERO1", 1.0)])
    path = files.write(tmp_path / "scaled.fits", [files.primary_hdu([]), column])
    tables = all_at_once(*[lambda: [fits.read_table(path) for _ in range(20)]] * N)
    assert {value for read in tables for table in read for value in table["A"]} == {1.5, 2.5}


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a global lock always")
def test_the_global_lock_stays_off():
    code = "import sys, calacs, calacs._core.blev, calacs._core.cte; assert not sys._is_gil_enabled()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
