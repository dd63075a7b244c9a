"""The tasks acscte and acscteforwardmodel: both doors, cards, errors, threads, interrupts."""

import io
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import acscte, acscteforwardmodel, fits
from calacs.errors import (
    CalacsWarning,
    ColumnNotFound,
    HeaderProblem,
    InvalidValue,
    NothingToDo,
    OutputExists,
    PreflightFailed,
    ReferenceMissing,
    RowNotFound,
    StepNotDone,
    Unsupported,
)
from calacs.overrides import Overrides
from ctehelpers import ccd_table, oscan_table, small_exposure, trap_table
from helpers import nothing_changes, same_bits, same_exposure, units

REFS = {"CCDTAB": "jref$c_ccd.fits", "OSCNTAB": "jref$c_osc.fits", "PCTETAB": "jref$c_cte.fits"}


@pytest.fixture(scope="module")
def references(jref):
    """Reference files of this module; AMPX fits the small frames."""
    ccd = ccd_table()
    ccd[1].data["AMPX"][:] = np.where(ccd[1].data["AMPX"] > 0, 30, 0)
    for name, hdus in (("ccd", ccd), ("osc", oscan_table()), ("cte", trap_table()), ("ct2", trap_table(2))):
        hdus.writeto(jref / f"c_{name}.fits")
    dummy = trap_table(2, primary={"PEDIGREE": "DUMMY"})
    dummy.writeto(jref / "c_dum.fits")
    return jref


@pytest.fixture
def make(references):
    """Maker of small exposures whose headers name the reference files."""

    def maker(*args, keywords=None, **options):
        return small_exposure(*args, keywords=REFS | (keywords or {}), **options)

    return maker


@pytest.fixture
def write(make, tmp_path):
    """Maker of small files."""

    def writer(*args, name="jx01aaaaq_blv_tmp.fits", **options):
        return make(*args, **options).write(tmp_path / name)

    return writer


def test_file_door(write, make, capsys):
    path = write()
    products = acscte.acscte(str(path))
    assert products == [path.with_name("jx01aaaaq_blc_tmp.fits")]
    assert path.with_name("jx01aaaaq.tra").exists()
    assert "PCTECORR" in capsys.readouterr().out
    in_memory = acscte.run(path)
    product = fits.read_exposure(products[0])
    assert same_exposure(product, in_memory, ignore=())
    assert [record.name for record in in_memory.records] == ["PCTECORR"]
    assert same_exposure(acscte.run(make()), in_memory, ignore=("FILENAME",))


def test_product(write):
    path = write()
    before, after = fits.read_exposure(path), acscte.run(path)
    primary = after.primary
    assert primary.get("PCTECORR") == "COMPLETE"
    assert primary.get("CTE_NAME") == "Par/Serial PixelCTE 2023"
    assert primary.get("CTE_VER") == "3.0"
    assert primary.comment("CTE_NAME") == "name of CTE algorithm"
    assert primary.get("FILENAME") == "jx01aaaaq_blc_tmp.fits"
    assert primary.get("READNSEC") > 0
    history = [text.strip() for text in primary.history]
    words = [text.split()[0] for text in history]
    in_order = ["CCD", "reference", "INFLIGHT", "WFC", "amplifiers"]
    in_order += (
        "CTE_NAME CTE_VER CORRTYPE FIXROCR PCTETRSH PCTEFRAC CTEDATE0 CTEDATE1 PCTETLEN PCTENFOR PCTENPAR".split()
    )
    in_order += "CORRTYPE CTEDATE0 CTEDATE1 PCTETLEN PCTENFOR PCTENPAR".split() * 4
    in_order += ["PCTECORR", *["PCTERNOI"] * 4, "CTE", "reference", "INFLIGHT", "simulated"]
    assert words == in_order
    assert [text.split()[4] for text in history if text.startswith("CORRTYPE serial")] == list("CDAB")
    for old, new in zip(before, after, strict=True):
        assert same_bits(old.dq, new.dq)
        assert not same_bits(old.sci, new.sci)
        assert np.all(new.err >= old.err)


def test_generation_2(make):
    after = acscte.run(make(keywords={"PCTETAB": "jref$c_ct2.fits"}))
    assert (after.primary.get("CTE_NAME"), after.primary.get("CTE_VER")) == ("PixelCTE 2017", "2.0")
    assert not any("CORRTYPE" in text for text in after.primary.history)
    assert set(after.records[0].values["A"]) == {"parallel"}


def test_single_chips_and_constant_planes(write):
    exposure = write((20, 30), (1,), "A", name="a_blv_tmp.fits")
    loaded = fits.read_exposure(exposure)
    loaded.imsets[0].err[:] = 5.0
    loaded.imsets[0].dq[:] = 0
    path = loaded.write(exposure.with_name("b_blv_tmp.fits"))
    (product,) = acscte.acscte(path, quiet=True)
    cards, data = units(product)[3]
    assert data == b""
    assert any(card.startswith("PIXVALUE") for card in cards)
    assert len(units(product)[2][1]) == 20 * 30 * 4


def test_nothing_to_correct_on_a_chip(make):
    before = make((20, 30), (1,), "C")
    after = acscte.run(before)
    assert same_bits(before.imsets[0].sci, after.imsets[0].sci)
    assert after.primary.get("PCTECORR") == "COMPLETE"


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_threads_change_nothing(make, n_threads):
    exposure = make(bright=60)
    assert same_exposure(acscte.run(exposure), acscte.run(exposure, n_threads=n_threads), ignore=())


def test_source_stays_as_it_is(make):
    exposure = make()
    copy = exposure.copy()
    acscte.run(exposure)
    assert same_exposure(exposure, copy, ignore=())


def test_amplifiers_alone_or_together(make):
    together = make((20, 60), (1,), "AB")
    alone = together.copy()
    alone.primary.set("CCDAMP", "A")
    first = acscte.run(together)
    second = acscte.run(alone, ampx=30, readnsea=first.primary.get_float("READNSEA"))
    assert same_bits(first.imsets[0].sci[:, :30], second.imsets[0].sci[:, :30])
    assert same_bits(alone.imsets[0].sci[:, 30:], second.imsets[0].sci[:, 30:])


def test_hand_over_in_memory(make, tmp_path):
    """An exposure that another task trimmed keeps the corner of its untrimmed planes; a file has none."""
    exposure = make()
    for imset in exposure:
        imset.corner = (0.0, 0)
        imset.dq[:] = 0
    path = make().write(tmp_path / "x_blv_tmp.fits")
    read = fits.read_exposure(path)
    for imset in read:
        imset.dq[:] = 0
        imset.corner = (1.0, 5)
    first = acscte.run(exposure)
    second = acscte.run(read)
    assert all(
        a.header["DQ"].get("PIXVALUE") == b.header["DQ"].get("PIXVALUE") == 0
        for a, b in zip(first, second, strict=True)
    )


def test_prediction(make):
    job = acscte.prepare(make(), Overrides())
    foreseen = acscte.predict(job)
    assert foreseen.primary.get("PCTECORR") == "COMPLETE"
    assert [imset.shape for imset in foreseen] == [imset.shape for imset in job.exposure]


def test_overrides(make):
    exposure = make()
    changed = acscte.run(exposure, pctenfor=2, readnsea=3.0)
    history = "\n".join(changed.primary.history)
    assert "PCTENFOR = 2 replaced the value of the reference table" in history
    assert "PCTERNOI  3.0000000E+00 Amp 'A'" in history
    assert not same_exposure(changed, acscte.run(exposure))
    with pytest.raises(TypeError, match="did you mean pctenfor"):
        acscte.run(exposure, pctenfr=2)


def test_progress(make):
    texts = []
    acscte.run(make(), progress=texts.append)
    for amp in "ABCD":
        for direction in ("serial", "parallel"):
            for stage in ("smooth", "inverse"):
                assert any(text.startswith(f"acscte: amp {amp} {direction}: {stage}") for text in texts)


def test_progress_of_the_file_door_on_a_terminal(write, monkeypatch, capsys):
    path = write()
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    acscte.acscte(path)
    for amp in "ABCD":
        assert f"jx01aaaaq_blv_tmp.fits  acscte: amp {amp} parallel: inverse 100 %" in shown.getvalue()
    assert shown.getvalue().endswith("\r\x1b[K"), "the line is wiped"
    assert "amp A" not in capsys.readouterr().out
    shown.seek(0)
    shown.truncate()
    acscte.acscte(write(name="y_blv_tmp.fits"), quiet=True)
    assert "amp" not in shown.getvalue()


def test_no_progress_in_a_pipe(write, capsys):
    acscte.acscte(write())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("n_threads", [1, 2])
def test_interrupt(make, n_threads):
    exposure = make()
    copy = exposure.copy()

    def interrupt(text):
        if "inverse" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        acscte.run(exposure, progress=interrupt, n_threads=n_threads)
    assert same_exposure(exposure, copy, ignore=())


def test_interrupted_file_door_leaves_no_product(write, monkeypatch):
    path = write()

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("calacs.steps.pcte.cte.inverse", interrupt)
    with pytest.raises(KeyboardInterrupt):
        acscte.acscte(path, quiet=True, single_core=True)
    assert sorted(item.name for item in path.parent.iterdir()) == ["jx01aaaaq.tra", path.name]


@pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")
@pytest.mark.parametrize("task", ["acscte", "acscteforwardmodel"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_leaves_no_product(write, task, n_threads):
    # Sub-steps for many minutes.
    path = write((100, 120), keywords={"PCTENFOR": 100, "PCTENPAR": 300 if task == "acscte" else 30000})
    code = (
        # A shell lets its background jobs, and what they start, ignore Ctrl-C.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from calacs import {task}; {task}.{task}({str(path)!r}, quiet=True, exe_args=['--nthreads', '{n_threads}'])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        while not path.with_name("jx01aaaaq.tra").exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.7)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=20)[1]
    assert "KeyboardInterrupt" in error
    assert sorted(item.name for item in path.parent.iterdir()) == ["jx01aaaaq.tra", path.name]


class TestForwardModel:
    def test_both_doors(self, write):
        path = write()
        (product,) = acscteforwardmodel.acscteforwardmodel(path, quiet=True)
        assert product.name == "jx01aaaaq_ctefmod.fits"
        assert same_exposure(fits.read_exposure(product), acscteforwardmodel.run(path), ignore=())
        (same,) = acscte.acscte([write(name="y_blv_tmp.fits")], quiet=True, exe_args=["--forwardModelOnly"])
        assert same_exposure(fits.read_exposure(product), fits.read_exposure(same))

    def test_opposite_of_the_correction(self, make):
        exposure = make(sky=200.0, bright=0, seed=3)
        there = acscteforwardmodel.run(exposure)
        back = acscte.run(there, pctecorr="PERFORM", pctenfor=8)
        lost = max(np.abs(a.sci - b.sci).max() for a, b in zip(exposure, there, strict=True))
        left = max(np.abs(a.sci - b.sci).max() for a, b in zip(exposure, back, strict=True))
        assert left < lost

    @pytest.mark.parametrize(("name", "target"), [("x_flc", "x_flc_ctefmod"), ("x_blc_tmp", "x_blc_tmp_ctefmod")])
    def test_names_and_further_extensions(self, write, name, target):
        path = write(name=f"{name}.fits")
        with astropy_fits.open(path, mode="append") as hdus:
            hdus.append(astropy_fits.ImageHDU(np.zeros((3, 3), np.float32), name="D2IMARR"))
        with astropy_fits.open(path, mode="update") as hdus:
            hdus[0].header["NEXTEND"] = 15
        (product,) = acscteforwardmodel.acscteforwardmodel(path, quiet=True)
        assert product.name == f"{target}.fits"
        assert len(units(product)) == 7
        assert fits.read_exposure(product, every_sci=True).primary.get("NEXTEND") == 15

    def test_no_read_noise_needed(self, make):
        acscteforwardmodel.run(make(keywords={"PCTENSMD": 1}), readnsea=0.0)


class TestFileDoor:
    @pytest.mark.parametrize(
        ("name", "product", "trailer"),
        [
            ("x_foo.fits", "x_foo_blc_tmp.fits", "x_foo.tra"),
            ("a-b_blv_tmp.fits", "a-b_blc_tmp.fits", "a-b.tra"),
            ("x_blc_tmp.fits", "x_blc_tmp_blc_tmp.fits", "x_blc_tmp.tra"),
        ],
    )
    def test_names(self, write, name, product, trailer):
        path = write((10, 12), (1,), "A", name=name)
        assert acscte.acscte(path, quiet=True) == [path.with_name(product)]
        assert path.with_name(trailer).exists()
        assert fits.read_exposure(path.with_name(product)).primary.get("FILENAME") == product.rpartition("-")[2]

    @pytest.mark.parametrize("value", ["OMIT", "COMPLETE", "SKIPPED", "omit", None])
    def test_files_without_the_switch_are_left_out(self, write, value):
        path = write((10, 12), (1,), "A", keywords={"PCTECORR": value})
        other = write((10, 12), (1,), "A", name="y_blv_tmp.fits")
        assert acscte.acscte([path, other], quiet=True) == [other.with_name("y_blc_tmp.fits")]
        with pytest.raises(NothingToDo):
            acscte.run(path)

    def test_existing_products_stay(self, write, monkeypatch):
        path = write((10, 12), (1,), "A")
        (product,) = acscte.acscte(path, quiet=True)
        with nothing_changes(product.parent / product.name), pytest.raises(OutputExists):
            acscte.acscte(path, quiet=True)
        monkeypatch.setenv("imclobber", "yes")
        assert acscte.acscte(path, quiet=True) == [product]

    def test_options(self, write):
        path = write((10, 12), (1,), "A", keywords={"PCTETAB": "N/A"})
        with pytest.raises(ReferenceMissing):
            acscte.acscte(path, quiet=True)
        (product,) = acscte.acscte(
            path,
            quiet=True,
            single_core=True,
            exe_args=["--pctetab", "jref$c_ct2.fits", "--ctegen", "2", "--nthreads", "2"],
        )
        assert fits.read_exposure(product).primary.get("PCTETAB") == "jref$c_ct2.fits"
        with pytest.raises(ValueError, match="--pctetab needs a value"):
            acscte.acscte(path, exe_args=["--pctetab"])
        with pytest.raises(ValueError, match="--nThreads"):
            acscte.acscte(path, exe_args=["--nThreads=2"])

    def test_sbc(self, write):
        path = write((10, 12), (1,), "A", keywords={"DETECTOR": "SBC"})
        with pytest.warns(CalacsWarning, match="SBC data are not processed"):
            assert acscte.acscte(path, quiet=True) == []
        with pytest.raises(NothingToDo):
            acscte.run(path)


ERRORS = [
    ({"PCTECORR": "MAYBE"}, HeaderProblem, 119, "PCTECORR = 'MAYBE' is invalid"),
    ({"BLEVCORR": "PERFORM"}, StepNotDone, 130, "BLEVCORR = 'PERFORM' must be COMPLETE"),
    ({"BLEVCORR": None}, StepNotDone, 130, "BLEVCORR"),
    ({"CCDTAB": "N/A"}, ReferenceMissing, 115, "CCDTAB: the header names no file"),
    ({"CCDTAB": "jref$none.fits"}, ReferenceMissing, 115, "none.fits not found"),
    ({"OSCNTAB": "jref$none.fits"}, ReferenceMissing, 115, "OSCNTAB .*none.fits not found"),
    ({"PCTETAB": " "}, ReferenceMissing, 115, "PCTETAB: the header names no file"),
    ({"PCTETAB": "jref$none.fits"}, ReferenceMissing, 115, "PCTETAB .*none.fits not found"),
    ({"PCTETAB": "jref$c_dum.fits"}, NothingToDo, 116, "is a dummy: nothing to do"),
    ({"CCDGAIN": 9.0}, RowNotFound, 141, "CCDTAB .* no row for"),
    ({"DETECTOR": "HRC"}, Unsupported, 1030, "PCTECORR is for WFC data only"),
    ({"DETECTOR": "NICMOS"}, InvalidValue, 1111, "DETECTOR"),
    ({"CCDAMP": "ABX"}, InvalidValue, 1111, "CCDAMP"),
    ({"NEXTEND": 2}, InvalidValue, 1111, "NEXTEND"),
    ({"EXPTIME": -1.0}, InvalidValue, 1111, "EXPTIME"),
    *(
        ({key: None}, Exception, 117, key)
        for key in ("EXPSTART", "EXPEND", "EXPTIME", "ROOTNAME", "SUBARRAY", "CCDAMP")
    ),
    ({"FIXROCR": 7}, InvalidValue, 1111, "FIXROCR = 7"),
    ({"PCTENSMD": 2}, Unsupported, 1030, "PCTENSMD = 2"),
]


@pytest.mark.parametrize(("keywords", "error", "status", "words"), ERRORS)
def test_errors(make, tmp_path, keywords, error, status, words):
    exposure = make((10, 12), (1,), "A", keywords=keywords)
    with pytest.raises(error, match=words) as caught:
        acscte.run(exposure)
    assert caught.value.status == status


def test_an_untrimmed_image_is_refused(make):
    exposure = make()
    exposure.imsets[0].header["SCI"].set("LTV1", 24.0)
    with pytest.raises(StepNotDone, match=r"\(LTV1, LTV2\) = \(24.0, 0.0\): the overscan is still there; run acsccd"):
        acscte.run(exposure)
    exposure.imsets[0].header["SCI"].set("LTV1", -24.0)
    acscte.run(exposure)


def test_problems_are_reported_together(make):
    exposure = make(keywords={"BLEVCORR": "OMIT", "CCDTAB": "jref$none.fits", "PCTETAB": "N/A"})
    with pytest.raises(PreflightFailed) as caught:
        acscte.run(exposure)
    assert [type(problem) for problem in caught.value.problems] == [StepNotDone, ReferenceMissing, ReferenceMissing]


def test_a_table_of_another_kind(make):
    with pytest.raises(ColumnNotFound, match="lacks the columns"):
        acscte.run(make(), ccdtab=oscan_table())


def test_missing_image_set(write):
    path = write((10, 12), (1,), "A")
    with astropy_fits.open(path, mode="update") as hdus:
        hdus[0].header["NEXTEND"] = 6
    with pytest.raises(Exception, match=r"no extension \[SCI,2\]"):
        acscte.acscte(path, quiet=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers(make, value):
    """They spoil their neighborhood, as in the official program, and no other amplifier."""
    clean = make((20, 60), (1,), "AB")
    spoiled = clean.copy()
    spoiled.imsets[0].sci[5, 50] = value
    first, second = acscte.run(clean), acscte.run(spoiled)
    assert same_bits(first.imsets[0].sci[:, :30], second.imsets[0].sci[:, :30])
    assert not np.isfinite(second.imsets[0].sci[5, 50])
