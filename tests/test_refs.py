"""Reference files: the registry, the resolver, the checks before the first pixel changes."""

import os

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import errors, fits, sim
from calacs.exposure import ImSet
from calacs.header import Header
from calacs.overrides import SWITCHES
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.registry import ALL, REGISTRY

ROLES = {  # what official CALACS reads, by keyword: switches, kind
    "CCDTAB": ((), "table"),
    "OSCNTAB": ((), "table"),
    "BPIXTAB": (("DQICORR",), "table"),
    "ATODTAB": (("ATODCORR",), "table"),
    "BIASFILE": (("BIASCORR",), "image"),
    "SATUFILE": (("BIASCORR",), "image"),
    "SNKCFILE": (("SINKCORR",), "image"),
    "PCTETAB": (("PCTECORR",), "table"),
    "MLINTAB": (("GLINCORR", "LFLGCORR"), "table"),
    "DARKFILE": (("DARKCORR",), "image"),
    "DRKCFILE": (("DARKCORR",), "image"),
    "FLSHFILE": (("FLSHCORR",), "image"),
    "PFLTFILE": (("FLATCORR",), "image"),
    "DFLTFILE": (("FLATCORR",), "image"),
    "LFLTFILE": (("FLATCORR",), "image"),
    "CFLTFILE": (("FLATCORR",), "image"),
    "SPOTTAB": (("FLATCORR",), "table"),
    "SHADFILE": (("SHADCORR",), "image"),
    "IMPHTTAB": (("PHOTCORR",), "table"),
    "CRREJTAB": (("CRCORR", "RPTCORR"), "table"),
}


def table_file(path, **keywords):
    primary = astropy_fits.PrimaryHDU()
    primary.header.update(keywords)
    columns = [astropy_fits.Column("CCDAMP", "4A", array=["A"])]
    astropy_fits.HDUList([primary, astropy_fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


def image_hdus(*chips, shape=(8, 9), **keywords):
    hdus = [astropy_fits.PrimaryHDU()]
    hdus[0].header.update({"NEXTEND": 3 * len(chips)} | keywords)
    for extver, chip in enumerate(chips, 1):
        for number, (name, dtype) in enumerate((("SCI", "f4"), ("ERR", "f4"), ("DQ", "i2"))):
            hdu = astropy_fits.ImageHDU(np.full(shape, 10 * extver + number, dtype), name=name, ver=extver)
            if chip is not None:
                hdu.header["CCDCHIP"] = chip
            hdus.append(hdu)
    return astropy_fits.HDUList(hdus)


def references(given=None, **keywords):
    header = Header()
    for keyword, value in keywords.items():
        header.set(keyword, value)
    return References(header, given)


def imset(shape=(8, 9), ltv=(0.0, 0.0), chip=1):
    header = Header(where="x[SCI,1]")
    header.set("CCDCHIP", chip)
    header.set("LTV1", ltv[0])
    header.set("LTV2", ltv[1])
    plane = np.zeros(shape, np.float32)
    return ImSet(1, plane, plane, plane.astype(np.int16), {"SCI": header})


# Registry


def test_the_registry_is_complete():
    assert {key: (spec.switches, spec.kind) for key, spec in REGISTRY.items()} == ROLES


@pytest.mark.parametrize("spec", REGISTRY.values(), ids=REGISTRY)
def test_entries_of_the_registry(spec):
    assert set(spec.switches) <= set(SWITCHES)
    assert spec.detectors
    assert set(spec.detectors) <= set(ALL)
    assert spec.content
    assert spec.origin.startswith("lib/")
    assert not spec.columns or set(spec.parameters) <= set(spec.columns)
    assert not set(spec.parameters) & set(spec.row_keys)
    if spec.kind == "image":
        assert not spec.columns


# Resolver


@pytest.mark.parametrize("form", ["jref$t.fits", "$jref/t.fits", "plain", "relative"])
@pytest.mark.parametrize("slash", ["", os.sep])
def test_names_are_resolved(tmp_path, monkeypatch, form, slash):
    table_file(tmp_path / "t.fits", PEDIGREE="INFLIGHT", DESCRIP="words")
    monkeypatch.setenv("jref", f"{tmp_path}{slash}")
    monkeypatch.chdir(tmp_path)
    name = {"plain": str(tmp_path / "t.fits")[-68:], "relative": "t.fits"}.get(form, form)
    if form == "plain":
        got = references({"ATODTAB": tmp_path / "t.fits"}).require("ATODTAB")
    else:
        got = references(ATODTAB=name).require("ATODTAB")
        assert got.name == name
    assert got.table.n_row == 1
    assert (got.pedigree, got.descrip, got.dummy) == ("INFLIGHT", "words", False)
    assert got.history()[1:] == ["    INFLIGHT", "    words"]


def test_each_is_opened_once(tmp_path):
    refs = references({"ATODTAB": table_file(tmp_path / "t.fits")})
    assert refs.require("ATODTAB") is refs.require("ATODTAB")
    other = references()
    other.share(refs)
    assert other["ATODTAB"] is refs["ATODTAB"]
    assert [one.spec.keyword for one in other] == ["ATODTAB"]


def test_a_variable_that_is_not_set(monkeypatch):
    monkeypatch.delenv("nowhere", raising=False)
    with pytest.raises(errors.ReferenceMissing, match=r"ATODTAB nowhere\$t\.fits: .*variable nowhere is not set"):
        references(ATODTAB="nowhere$t.fits").require("ATODTAB")


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("jref", f"{tmp_path}{os.sep}")
    with pytest.raises(errors.ReferenceMissing, match=r"BIASFILE jref\$b\.fits: .*not found; check the name"):
        references(BIASFILE="jref$b.fits").require("BIASFILE")


@pytest.mark.parametrize("name", ["", "N/A", " n/a "])
def test_blank_names(name):
    with pytest.raises(errors.ReferenceMissing, match=r"BIASFILE: the header names no file .*biasfile=\.\.\."):
        references(BIASFILE=name).require("BIASFILE")
    assert not references(BPIXTAB=name).require("BPIXTAB").given
    assert not references()["BPIXTAB"].given


def test_a_keyword_that_is_no_text():
    with pytest.raises(errors.HeaderProblem, match="BIASFILE"):
        references(BIASFILE=5).require("BIASFILE")


PEDIGREES = {"DUMMY": True, "DUMMY 1/1/2000": True, "dummy": False, "GROUND": False, "": False}


@pytest.mark.parametrize(("pedigree", "dummy"), PEDIGREES.items())
def test_pedigrees(tmp_path, pedigree, dummy):
    got = references({"ATODTAB": table_file(tmp_path / "t.fits", PEDIGREE=pedigree)})["ATODTAB"]
    assert got.dummy == dummy


def test_objects_in_memory():
    got = references({"BIASFILE": image_hdus(1, PEDIGREE="GROUND")}).require("BIASFILE")
    assert got.path is None
    assert got.name == "object in memory"
    assert got.section(imset()).read("SCI")[0, 0] == 10
    assert str(got) == "BIASFILE 'object in memory'"
    with pytest.raises(errors.TableError, match="ATODTAB 'object in memory'.*no binary table"):
        references({"ATODTAB": image_hdus(1)}).require("ATODTAB")


def test_files_that_are_not_what_they_should_be(tmp_path):
    table = table_file(tmp_path / "t.fits")
    image = tmp_path / "i.fits"
    image_hdus(1).writeto(image)
    (tmp_path / "text.fits").write_text("text\n" * 1000)
    with pytest.raises(errors.ChipNotFound, match="BIASFILE"):
        references({"BIASFILE": table}).require("BIASFILE").section(imset())
    with pytest.raises(errors.TableError, match="ATODTAB.*no binary table"):
        references({"ATODTAB": image}).require("ATODTAB")
    for keyword in ("ATODTAB", "BIASFILE"):
        with pytest.raises(errors.ReferenceMissing, match=rf"{keyword} .*text\.fits"):
            references({keyword: tmp_path / "text.fits"}).require(keyword)
    with pytest.raises(errors.ReferenceMissing, match="no image file is given"):
        _ = references({"ATODTAB": table})["ATODTAB"].image
    with pytest.raises(errors.ReferenceMissing, match="no table is given"):
        _ = references({"BIASFILE": image})["BIASFILE"].table


def test_missing_columns(tmp_path):
    with pytest.raises(
        errors.ColumnNotFound,
        match=r"OSCNTAB .*t\.fits: the table lacks the columns CCDCHIP, BINX, .*is this a OSCNTAB",
    ):
        references({"OSCNTAB": table_file(tmp_path / "t.fits")}).require("OSCNTAB")


DETECTORS = [("HRC", "HRC", True), ("HRC", "WFC", False), ("HRC", "", True), ("", "WFC", True)]


@pytest.mark.parametrize(("own", "other", "fits_together"), DETECTORS)
def test_the_detector_of_a_reference(own, other, fits_together):
    refs = references({"BIASFILE": image_hdus(1, DETECTOR=other)}, DETECTOR=own)
    if fits_together:
        assert refs.require("BIASFILE").given
    else:
        with pytest.raises(errors.ReferenceMissing, match="for the WFC, the exposure was taken with the HRC"):
            refs.require("BIASFILE")


# Chips and sections


def test_the_chip_is_found():
    got = references({"BIASFILE": image_hdus(2, 1)})["BIASFILE"]
    assert got.extver_of_chip(1) == 2
    assert got.extver_of_chip(2) == 1
    assert got.chosen == ["[SCI,2] (chip 1)", "[SCI,1] (chip 2)"]
    with pytest.raises(errors.ChipNotFound, match="chip 3") as caught:
        got.extver_of_chip(3)
    assert caught.value.status == 152


def test_nextend_limits_the_search():
    hdus = image_hdus(2, 1)
    hdus[0].header["NEXTEND"] = 3
    got = references({"BIASFILE": hdus})["BIASFILE"]
    with pytest.raises(errors.ChipNotFound):
        got.extver_of_chip(1)
    assert got.extver_of_chip(1, every_extension=True) == 2


def test_a_chip_without_number_is_chip_1():
    assert references({"BIASFILE": image_hdus(None)})["BIASFILE"].extver_of_chip(1) == 1


def test_sections():
    hdus = image_hdus(1, shape=(20, 30))
    hdus["SCI"].data[:] = np.arange(600).reshape(20, 30)
    for hdu in hdus[1:]:
        hdu.header["LTV1"], hdu.header["LTV2"] = 4.0, 2.0
    reference = references({"BIASFILE": hdus})["BIASFILE"]
    section = reference.section(imset((5, 6), (-10.0, -3.0)))
    sci, err, dq = (section.read(plane) for plane in ("SCI", "ERR", "DQ"))
    assert np.array_equal(sci, hdus["SCI"].data[5:10, 14:20])
    assert err.shape == dq.shape == (5, 6)
    assert sci.flags.c_contiguous
    for shape, ltv in (((5, 6), (-30.0, 0.0)), ((5, 6), (5.0, 0.0)), ((20, 31), (4.0, 2.0)), ((5, 6), (0.0, -16.0))):
        with pytest.raises(errors.SizeMismatch, match=r"BIASFILE.*20 rows x 30 columns do not cover") as caught:
            reference.section(imset(shape, ltv))
        assert caught.value.status == 120


# Problems


def test_problems_are_collected():
    problems = Problems()
    for text in ("one", "two", "one"):
        with problems:
            raise errors.RowNotFound(text)
    assert [str(problem) for problem in problems.found] == ["one", "two"]
    with pytest.raises(errors.PreflightFailed, match="x: 2 problems"):
        problems.raise_all("x")


def test_one_problem_is_raised_as_it_is():
    problems = Problems()
    problems.raise_all("x")
    with problems:
        raise errors.RowNotFound("one")
    with pytest.raises(errors.RowNotFound, match="one"):
        problems.raise_all("x")


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), Problems():
        _ = 1 / 0


def test_replaced_columns():
    columns = [astropy_fits.Column(name, "E", array=[1.0, 2.0]) for name in REGISTRY["MLINTAB"].columns]
    hdus = astropy_fits.HDUList([astropy_fits.PrimaryHDU(), astropy_fits.BinTableHDU.from_columns(columns)])
    refs = References(Header(), {"MLINTAB": hdus}, {"TAU": 5.0, "READNSEA": 1.0})
    assert refs["MLINTAB"].table["TAU"].tolist() == [5.0, 5.0]
    assert refs["MLINTAB"].table["EXPAND"].tolist() == [1.0, 2.0]
    assert refs["MLINTAB"].chosen == ["TAU = 5.0 given by the caller"]
    assert fits.read_table(hdus)["TAU"].tolist() == [1.0, 2.0]


def test_exposures_of_one_run_share_their_files(tmp_path, monkeypatch):
    monkeypatch.setenv("jref", f"{tmp_path}/")
    exposure = sim.simulate("HRC", seed=1, exptime=10.0)
    exposure.write_references(tmp_path)
    header = fits.read_headers(exposure.write(tmp_path)).primary
    cache = ReferenceCache()
    first, second = (References(header, cache=cache) for _ in range(2))
    for keyword, kind in (("CCDTAB", "table"), ("BIASFILE", "image")):
        assert getattr(first.require(keyword), kind) is getattr(second.require(keyword), kind)
        assert first.require(keyword) is not second.require(keyword)
