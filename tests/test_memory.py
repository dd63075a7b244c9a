"""The memory budget of the tasks: bytes per pixel, as docs/data-model.md states them."""

import gc
import tracemalloc

import pytest

from calacs import acs2d, acsccd, acscte, calacs, fits, sim
from ctehelpers import ccd_table, oscan_table, small_exposure, trap_table

EXPOSURE = 10
"""SCI, ERR and DQ of a pixel."""
CORRECTION = 13
"""What the charge-transfer correction needs for a pixel of the amplifier it works on."""
SLACK = 2.5
"""Blocks of 64 rows of each thread, which count for more in small frames, tables and headers; less than another plane."""


def peak(call, n_pixel):
    """Largest number of bytes in use during a second call, per pixel."""
    call()
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / n_pixel
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("jref", f"{folder}/")
        exposure = sim.simulate("HRC", seed=5, exptime=100.0)
        exposure.write_references(folder)
        yield exposure.write(folder)


def n_pixel(path):
    return fits.read_headers(path).imsets[0].sci.size


@pytest.mark.parametrize("n_threads", [1, 2])
def test_one_exposure_in_memory(raw, n_threads):
    leveled = raw.with_name("x_blv_tmp.fits")
    acsccd.run(raw).write(leveled, clobber=True)
    for call in (
        lambda: acsccd.run(raw, n_threads=n_threads),
        lambda: acs2d.run(leveled, n_threads=n_threads),
        lambda: calacs.run(raw, n_threads=n_threads),
    ):
        assert peak(call, n_pixel(raw)) < EXPOSURE + SLACK


def test_one_exposure_in_files(raw):
    def call():
        for product in raw.parent.glob("*_flt.fits"):
            product.unlink()
        calacs.calacs(raw, quiet=True, single_core=True)

    assert peak(call, n_pixel(raw)) < EXPOSURE + SLACK


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_correction_works_on_one_amplifier_for_each_thread(at_once):
    ccd = ccd_table()
    ccd[1].data["AMPX"][:] = 100
    references = {"ccdtab": ccd, "oscntab": oscan_table(), "pctetab": trap_table(2)}
    exposure = small_exposure((1000, 200))
    size = sum(imset.sci.size for imset in exposure)
    limit = EXPOSURE + at_once * CORRECTION / 4 + SLACK
    assert peak(lambda: acscte.run(exposure, n_threads=at_once, **references), size) < limit
