"""The task acssum: sums, cards, statistics, files, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import small
from calacs import acssum, fits
from calacs._core import imarith
from calacs.errors import (
    AssociationError,
    CalacsWarning,
    ChipNotFound,
    FileNotReadable,
    InvalidValue,
    KeywordMissing,
    NothingToDo,
    OutputExists,
    SizeMismatch,
    TableError,
    WriteFailed,
)
from helpers import nothing_changes, read_only, same_bits, same_exposure, units

F = np.float32


def exposure(seed, **options):
    return small.exposure(seed, **({"detector": "SBC", "rays": 0} | options))


def write(seed, suffix="_flt", **options):
    name = f"jsmall{seed:02d}q{suffix}.fits"
    exposure(seed, name=name, **options).write(name)
    return name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pair(folder):
    return [write(seed) for seed in (0, 1)]


def oracle(exposures, index=0):
    """Sums in single precision, image after image."""
    sci, var, dq = (
        a.copy()
        for a in (exposures[0].imsets[index].sci, exposures[0].imsets[index].err, exposures[0].imsets[index].dq)
    )
    var = var * var
    for other in exposures[1:]:
        imset = other.imsets[index]
        sci, var, dq = sci + imset.sci, var + imset.err * imset.err, dq | imset.dq
    return sci, np.sqrt(var), dq


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_matches_the_oracle(seed, n):
    rng = np.random.default_rng(seed)
    exposures = [exposure(k, keywords={"NRPTEXP": n, "SDQFLAGS": 0}) for k in range(n)]
    for one in exposures:
        scale = F(10.0) ** rng.integers(-4, 5)
        one.imsets[0].sci *= scale
        one.imsets[0].err *= scale
        one.imsets[0].dq[...] = rng.integers(-32768, 32767, one.imsets[0].dq.shape)
    got = acssum.combine(exposures).imsets[0]
    assert all(same_bits(a, b) for a, b in zip((got.sci, got.err, got.dq), oracle(exposures), strict=True))


def test_oddities_pass_through():
    exposures = [exposure(0), exposure(1)]
    exposures[0].imsets[0].sci[0, :3] = np.nan, np.inf, -np.inf
    exposures[1].imsets[0].err[1, :2] = np.nan, np.inf
    got = acssum.combine(exposures).imsets[0]
    assert np.isnan(got.sci[0, 0])
    assert got.sci[0, 1:3].tolist() == [np.inf, -np.inf]
    assert np.isnan(got.err[1, 0])
    assert got.err[1, 1] == np.inf


def test_order_of_the_others_changes_roundings_only():
    exposures = [exposure(k, keywords={"NRPTEXP": 4}) for k in range(4)]
    want, got = acssum.combine(exposures), acssum.combine([exposures[i] for i in (0, 3, 1, 2)])
    assert np.allclose(want.imsets[0].sci, got.imsets[0].sci, rtol=1e-6)
    assert same_bits(want.imsets[0].dq, got.imsets[0].dq)


def test_files_and_memory_agree(pair):
    in_memory = acssum.combine([fits.read_exposure(name) for name in pair], output="x_sfl.fits", mtype="prod-rpt")
    acssum.acssum(",".join(pair), "x_sfl.fits")
    in_files = fits.read_exposure("x_sfl.fits")
    in_memory.primary.remove("ASN_MTYP")
    assert same_exposure(in_memory, in_files, ignore=())


@pytest.mark.parametrize("n_threads", [2, 7])
def test_threads_change_nothing(folder, n_threads):
    names = [write(seed, shape=(150, 20), chips=(2, 1), detector="WFC") for seed in (0, 1)]
    assert same_exposure(acssum.combine(names, n_threads=n_threads), acssum.combine(names), ignore=())


def test_exposures_stay_as_they_are():
    exposures = [exposure(0), exposure(1)]
    copies = [one.copy() for one in exposures]
    for one in exposures:
        imset = one.imsets[0]
        imset.sci, imset.err, imset.dq = read_only(imset.sci, imset.err, imset.dq)
    acssum.combine(exposures)
    assert all(same_exposure(a, b, ignore=()) for a, b in zip(exposures, copies, strict=True))


def test_cards():
    exposures = [exposure(seed, time=100.0 + seed, keywords={"NRPTEXP": 3}) for seed in (2, 3, 1)]
    got = acssum.combine(exposures, output="j9cr01011_sfl.fits", mtype="prod-rpt")
    cards = got.primary
    assert (cards["EXPTIME"], cards["EXPEND"], cards["EXPSTART"]) == (306.0, 53001.5, 53002.0)
    assert (cards["NCOMBINE"], cards["NEXTEND"], cards["RPTCORR"]) == (3, 3, "COMPLETE")
    assert (cards["FILENAME"], cards["ASN_MTYP"], cards["ROOTNAME"]) == ("j9cr01011_sfl.fits", "PROD-RPT", "J9CR01011")
    assert cards.history == ("RPTCORR complete", "Statistics computed after rptcorr.")
    assert got.imsets[0].header["ERR"]["EXPNAME"] == "j9cr01011"
    record = got.records[-1]
    assert (record.task, record.name, record.values["exptime"]) == ("acssum", "RPTCORR", 306.0)


def test_statistics():
    got = acssum.combine([exposure(0, keywords={"SDQFLAGS": 16}), exposure(1)]).imsets[0]
    good = (got.dq & 16 == 0) & (got.err > 0)
    header = got.header["SCI"]
    assert header["NGOODPIX"] == got.header["ERR"]["NGOODPIX"] == int(good.sum())
    assert header["GOODMEAN"] == pytest.approx(got.sci[good].mean(), rel=1e-6)
    assert header["GOODMAX"] == pytest.approx(float(got.sci[good].max()), rel=1e-6)
    assert header["SNRMEAN"] == pytest.approx((got.sci[good] / got.err[good]).mean(), rel=1e-6)


@pytest.mark.parametrize(("plane", "value", "text"), [("err", 0, "No ERR values > 0"), ("dq", 1, "flagged as bad")])
def test_no_good_pixel(plane, value, text):
    exposures = [exposure(0), exposure(1)]
    for one in exposures:
        one.imsets[0].dq[...] = 0
        getattr(one.imsets[0], plane)[...] = value
    with pytest.warns(CalacsWarning, match=text):
        got = acssum.combine(exposures)
    assert got.imsets[0].header["SCI"]["NGOODPIX"] == 0
    assert "GOODMEAN" not in got.imsets[0].header["SCI"]


def test_constant_planes(folder):
    exposures = [exposure(0, bad=0), exposure(1, bad=0)]
    for one in exposures:
        one.imsets[0].err[...] = 3
    path = acssum.combine(exposures).write("x_sfl.fits")
    assert [len(data) for _, data in units(path)][2:] == [0, 0]
    assert fits.read_exposure(path).imsets[0].err[0, 0] == np.sqrt(F(18))


def test_chips_are_found_wherever_they_are():
    first, second = (exposure(seed, chips=(2, 1), detector="WFC") for seed in (0, 1))
    want = oracle([first, second], 0)[0]
    second.imsets = second.imsets[::-1]
    assert same_bits(acssum.combine([first, second]).imsets[0].sci, want)


def test_rows_above_the_first_image_are_ignored():
    exposures = [exposure(0), exposure(1, shape=(25, 30))]
    with pytest.warns(CalacsWarning, match="rows .* above 20 are ignored"):
        got = acssum.combine(exposures)
    assert same_bits(got.imsets[0].sci, exposures[0].imsets[0].sci + exposures[1].imsets[0].sci[:20])


def test_another_number_of_exposures_is_reported():
    with pytest.warns(CalacsWarning, match="3 exposures are summed, but NRPTEXP says 2"):
        acssum.combine([exposure(seed) for seed in range(3)])


def test_associations_name_their_product(pair, folder):
    small.write_association(folder / "x_asn.fits", [(f"JSMALL0{n}Q", "EXP-RPT", True) for n in (0, 1)], "SBC")
    for seed in (0, 1):
        small.write_support(folder / f"jsmall{seed:02d}q_spt.fits", [seed, 2])
    assert acssum.acssum("x_asn.fits", "", quiet=True) == folder.__class__("x_sfl.fits")
    assert (folder / "x_spt.fits").exists()
    assert "ACSSUM complete" in (folder / "x.tra").read_text()
    with pytest.raises(ValueError, match="name the product"):
        acssum.acssum(pair, "")


# ---- bad input


def test_bad_exposures():
    with pytest.raises(NothingToDo, match="two or more"):
        acssum.combine([exposure(0)])
    with pytest.raises(SizeMismatch, match="29 columns x 20 rows"):
        acssum.combine([exposure(0), exposure(1, shape=(20, 29))])
    with pytest.raises(SizeMismatch, match="30 columns x 19 rows"):
        acssum.combine([exposure(0), exposure(1, shape=(19, 30))])
    with pytest.raises(ChipNotFound, match="no image of chip 1"):
        acssum.combine([exposure(0), exposure(1, chips=(2,))])
    with pytest.raises(InvalidValue, match="DETECTOR = 'NIC'"):
        acssum.combine([exposure(0, keywords={"DETECTOR": "NIC"}), exposure(1)])


@pytest.mark.parametrize("keyword", ["APERTURE", "DETECTOR", "EXPTIME", "EXPEND", "NRPTEXP"])
def test_missing_keywords(keyword):
    exposures = [exposure(0), exposure(1)]
    exposures[0].primary.remove(keyword)
    with pytest.raises(KeywordMissing, match=keyword):
        acssum.combine(exposures)


def test_the_product_appears_when_all_is_done(pair, folder, monkeypatch):
    for seed in (0, 1):
        small.write_support(folder / f"jsmall{seed:02d}q_spt.fits", [1, 2, 3])

    def fail(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fits, "write_planes", fail)
        with nothing_changes(folder):
            with pytest.raises(KeyboardInterrupt):
                acssum.acssum(pair, "x_sfl.fits", quiet=True)
            (folder / "x.tra").unlink()
    acssum.acssum(pair, "x_sfl.fits", quiet=True)
    assert (folder / "x_spt.fits").exists()


def test_bad_files(pair, folder):
    small.write_association(folder / "a_asn.fits", [("JSMALL00Q", "EXP-RPT", True)] * 2)
    small.write_association(folder / "b_asn.fits", [("NONE00000", "EXP-RPT", True)])
    small.write_association(folder / "c_asn.fits", [])
    (folder / "old_sfl.fits").write_text("precious")
    cases = [
        (pair, "old_sfl.fits", OutputExists, "exists already"),
        (pair, "none/x_sfl.fits", WriteFailed, "no folder"),
        ([*pair, "none.fits"], "x_sfl.fits", FileNotReadable, "no such file"),
        ("a_asn.fits", "x_sfl.fits", AssociationError, "listed twice"),
        ("b_asn.fits", "x_sfl.fits", FileNotReadable, "none00000 has no file"),
        ("c_asn.fits", "x_sfl.fits", TableError, "no rows"),
    ]
    for source, output, error, text in cases:
        with nothing_changes(folder):
            with pytest.raises(error, match=text):
                acssum.acssum(source, output, quiet=True)
            for trailer in folder.glob("*.tra"):
                trailer.unlink()


def test_kernels_refuse_planes_of_other_shapes():
    f, s = (np.zeros((2, 3), kind) for kind in (np.float32, np.int16))
    with pytest.raises(ValueError, match="shape"):
        imarith.sum(f, f.copy(), s, f, f[:1], s)
    imarith.sum(f[:0], f[:0], s[:0], f[:0], f[:0], s[:0])
    imarith.square(f[:0])
    imarith.root(f[:0])
