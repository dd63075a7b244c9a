"""The task acsccd: official results, switches, references, errors, both doors."""

import json
import os
import shutil
import time
import warnings

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

import official
from calacs import acsccd, errors, fits
from calacs.errors import CalacsWarning
from calacs.reftables import CCDTAB_COLUMNS
from helpers import digest, nothing_changes, same_bits, same_exposure, units

# Exposures without overscan, switches that are off ...: what is doubtful is said, and tested where it matters.
pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")
NOTHING = {"dqicorr": "OMIT", "biascorr": "OMIT", "blevcorr": "OMIT"}


def history(exposure):
    return "\n".join(exposure.primary.history)


def records(exposure):
    return {record.name: record for record in exposure.records}


@pytest.fixture(scope="session")
def official_references(tmp_path_factory, hrc_refs, wfc_refs, jref):
    """Reference sets, and paths by keyword, of the official cases."""
    found = {}
    for refs in (hrc_refs, wfc_refs):
        names = [key for key in official.REFERENCES if key in refs.names]
        found[refs.detector] = refs, {key: jref / refs.names[key] for key in names}
    return found


@pytest.fixture(scope="module")
def record():
    return json.loads(official.RECORD.read_text())


# The official program's results


@pytest.mark.parametrize("case", official.CASES)
def test_the_result_is_that_of_the_official_program(case, record, official_references, tmp_path):
    references, paths = official_references[official.CASES[case][0]]
    raw = official.make(case, references).write(tmp_path)
    if official.input_digest(raw, paths) != record[case]["input"]:
        pytest.skip("the simulator gives other bits on this machine than where the official results were recorded")
    (product,) = acsccd.acsccd(raw, quiet=True)
    for number, (got, want) in enumerate(zip(official.describe(raw, product), record[case]["acsccd"], strict=True)):
        assert got["new"] == want["new"], f"cards of unit {number}"
        assert got["cards"] == want["cards"], f"cards of unit {number}"
        assert got["data"] == want["data"], f"pixels of unit {number}"


# Doors


@pytest.fixture
def raw(hrc_refs, hrc, tmp_path):
    """A raw file in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return hrc().write(folder / "j1234567q_raw.fits")


def test_both_doors_give_the_same(raw):
    in_memory = acsccd.run(raw)
    (product,) = acsccd.acsccd(str(raw), quiet=True)
    assert product == raw.with_name("j1234567q_blv_tmp.fits")
    assert same_exposure(in_memory, fits.read_exposure(product), ignore=())
    assert in_memory.primary.get("FILENAME") == product.name


def test_memory_takes_paths_exposures_and_hdulists(raw):
    with nothing_changes(raw.parent):
        first = acsccd.run(raw)
        exposure = fits.read_exposure(raw)
        before = exposure.copy()
        second = acsccd.run(exposure)
        assert same_exposure(exposure, before, ignore=())
        assert exposure.records == []
        with astropy_fits.open(raw) as hdus:
            third = acsccd.run(hdus)
    assert same_exposure(first, second, ignore=())
    assert same_exposure(first, third)


def test_a_product_in_memory_goes_where_one_likes(raw, tmp_path):
    product = acsccd.run(raw)
    path = product.write(tmp_path / "mine.fits")
    hdus = product.to_hdulist()
    assert [card.image for card in hdus["SCI"].header.cards] == units(path)[1][0]
    assert hdus["SCI"].data.shape == (1024, 1024)


@pytest.fixture
def three(raw):
    folder = raw.parent
    for name in ("b2_raw.fits", "c3_raw.fits"):
        shutil.copy(raw, folder / name)
    raw.rename(folder / "a1_raw.fits")
    return folder


PRODUCTS = ["a1_blv_tmp.fits", "b2_blv_tmp.fits", "c3_blv_tmp.fits"]


@pytest.mark.parametrize(
    "source",
    [
        "*_raw.fits",
        "a1_raw.fits,b2_raw.fits, c3_raw.fits",
        ["a1_raw.fits", "b2_raw.fits", "c3_raw.fits"],
        ["a1_raw.fits", "[bc]*_raw.fits"],
        "@list.txt",
    ],
)
def test_inputs_of_the_file_door(three, monkeypatch, source):
    monkeypatch.chdir(three)
    (three / "list.txt").write_text("a1_raw.fits\n\n  b2_raw.fits\nc3_raw.fits\n")
    inputs = {path.name: digest(path) for path in three.glob("*_raw.fits")}
    assert [path.name for path in acsccd.acsccd(source, quiet=True)] == PRODUCTS
    assert {path.name: digest(path) for path in three.glob("*_raw.fits")} == inputs
    assert sorted(path.name for path in three.glob("*.tra")) == ["a1.tra", "b2.tra", "c3.tra"]


def test_a_variable_in_the_input(three, monkeypatch):
    monkeypatch.setenv("mydata", f"{three}{os.sep}")
    assert [path.name for path in acsccd.acsccd("mydata$a1_raw.fits", quiet=True)] == PRODUCTS[:1]


def test_no_match(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in ("*_raw.fits", "@nolist.txt", "nothere_raw.fits"):
        with pytest.raises(errors.FileNotReadable, match="check|cannot be read"):
            acsccd.acsccd(source, quiet=True)


def test_files_before_a_bad_one_are_finished(three):
    (three / "b2_raw.fits").write_bytes(b"damaged" * 1000)
    with pytest.raises(errors.FileNotReadable, match="b2_raw"):
        acsccd.acsccd([three / "a1_raw.fits", three / "b2_raw.fits", three / "c3_raw.fits"], quiet=True)
    assert [path.name for path in three.glob("*_blv_tmp.fits")] == ["a1_blv_tmp.fits"]
    assert not list(three.glob(".*"))


def test_the_name_without_the_raw_suffix_reads_the_raw_file(raw):
    """As officially: x.fits means x_raw.fits."""
    (product,) = acsccd.acsccd(raw.with_name("j1234567q.fits"), quiet=True)
    assert product.name == "j1234567q_blv_tmp.fits"


def test_an_existing_product_is_refused(raw, monkeypatch):
    product = raw.with_name("j1234567q_blv_tmp.fits")
    product.write_text("precious")
    with pytest.raises(errors.OutputExists, match="j1234567q_blv_tmp") as caught:
        acsccd.acsccd(raw, quiet=True)
    assert caught.value.status == 1021
    assert product.read_text() == "precious"
    monkeypatch.setenv("imclobber", "yes")
    acsccd.acsccd(raw, quiet=True)
    assert fits.read_exposure(product).imsets[0].shape == (1024, 1024)


def test_a_folder_that_vanishes(raw, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fits.writing, "open", refuse, raising=False)
    before = digest(raw)
    with pytest.raises(errors.WriteFailed, match="check the folder"):
        acsccd.acsccd(raw, quiet=True)
    assert digest(raw) == before
    assert not list(raw.parent.glob("*blv*"))


def test_a_full_disk(raw):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(errors.WriteFailed, match="cannot be written"):
            acsccd.acsccd(raw, quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(raw.parent.glob("*blv*"))
    assert not list(raw.parent.glob(".*"))


def test_messages(raw, capsys):
    acsccd.acsccd(raw, time_stamps=True, verbose=True)
    text = capsys.readouterr().out
    for part in (
        "CALBEG*** ACSCCD -- Version 10.5.0",
        "Input ",
        "DQICORR  PERFORM",
        "DQICORR  COMPLETE",
        "BIASFILE",
        "complete ***",
    ):
        assert part in text
    assert raw.with_name("j1234567q.tra").read_text().strip() == text.strip()
    assert time.strftime("%Y%j") in text


def test_quiet_says_nothing(raw, capsys):
    acsccd.acsccd(raw, quiet=True)
    assert capsys.readouterr().out == ""
    assert "CALBEG" in raw.with_name("j1234567q.tra").read_text()


def test_options_of_the_executable(raw):
    acsccd.acsccd(raw, exe_args=["--nthreads", "2", "-q"], exec_path="anything")
    with pytest.raises(ValueError, match="--bad"):
        acsccd.acsccd(raw, exe_args=["--bad"])


# SBC


def test_sbc_data_have_nothing_to_do(tmp_path):
    from calacs import sim

    raw = sim.simulate("SBC", seed=1, effects=()).write(tmp_path)
    with nothing_changes(tmp_path), pytest.raises(errors.NothingToDo, match="run acs2d"):
        acsccd.run(raw)
    with pytest.warns(CalacsWarning, match="SBC data are not processed"):
        assert acsccd.acsccd(raw, quiet=True) == []
    assert not list(tmp_path.glob("*blv*"))


# Switches


@pytest.mark.parametrize("value", ["perform", "PERFORM", "Perform"])
def test_a_switch_to_perform(hrc, value):
    got = acsccd.run(hrc({"BIASCORR": value}))
    assert got.primary.get("BIASCORR") == "COMPLETE"
    assert "BIASCORR complete ..." in history(got)
    assert records(got)["BIASCORR"].status == "complete"


@pytest.mark.parametrize("value", ["OMIT", "omit", "COMPLETE", "Complete", "SKIPPED", None])
def test_a_switch_to_omit(hrc, value):
    """A step that was done already is not done again."""
    got = acsccd.run(hrc({"BIASCORR": value}))
    assert got.primary.get("BIASCORR") == value
    assert "BIASCORR" not in history(got)
    assert records(got)["BIASCORR"].status == "omitted"


@pytest.mark.parametrize("value", ["MAYBE", "", "PERFORMED", 1, True])
def test_a_switch_that_is_wrong(hrc, value):
    with pytest.raises(errors.HeaderProblem, match="BIASCORR") as caught:
        acsccd.run(hrc({"BIASCORR": value}))
    assert caught.value.status == 119


def test_no_switch_at_all(hrc):
    with pytest.raises(errors.NothingToDo, match="DQICORR, ATODCORR, BIASCORR, BLEVCORR, SINKCORR") as caught:
        acsccd.run(hrc(), **NOTHING)
    assert caught.value.status == 116


@pytest.mark.parametrize("kept", ["dqicorr", "biascorr", "blevcorr"])
def test_one_switch_alone(hrc, kept):
    """Conversion to electrons, dark time and uncertainty come with any of them."""
    off = {key: value for key, value in NOTHING.items() if key != kept}
    got = acsccd.run(hrc(), **off)
    assert {name for name, record in records(got).items() if record.status == "complete"} == {
        kept.upper(), "electrons", "darktime", "saturation", "noise",
    }  # fmt: skip
    (imset,) = got
    assert imset.header["SCI"].get("BUNIT") == "ELECTRONS"
    assert imset.shape == ((1024, 1024) if kept == "blevcorr" else (1044, 1062))
    assert (imset.err > 4).all()
    assert "Uncertainty array initialized." in history(got)


def test_atodcorr_changes_nothing_but_counts(hrc):
    got = acsccd.run(hrc({"ATODCORR": "PERFORM"}), **NOTHING)
    assert got.primary.get("ATODCORR") == "PERFORM"
    assert "ATODCORR" not in history(got)
    with pytest.raises(errors.ReferenceMissing, match="ATODTAB"):
        acsccd.run(hrc({"ATODCORR": "PERFORM", "ATODTAB": "N/A"}))


# Reference files


@pytest.fixture
def dummy(jref, tmp_path):
    """Copy of a reference file that is a dummy."""

    def make(name, pedigree="DUMMY 18/04/2000"):
        path = tmp_path / f"dummy_{name}"
        shutil.copy(jref / name, path)
        astropy_fits.setval(path, "PEDIGREE", value=pedigree)
        return str(path)

    return make


def test_a_dummy_ccdtab_counts_as_missing(hrc, hrc_refs, dummy):
    with pytest.raises(errors.ReferenceMissing, match=r"CCDTAB.*dummy.*use a real one") as caught:
        acsccd.run(hrc(), ccdtab=dummy(hrc_refs.names["CCDTAB"]))
    assert caught.value.status == 115


@pytest.mark.parametrize("switch", ["PERFORM", "OMIT"])
def test_a_dummy_oscntab_turns_blevcorr_into_complete_with_nothing_done(hrc, hrc_refs, dummy, switch):
    raw = hrc({"BLEVCORR": switch})
    got = acsccd.run(raw, oscntab=dummy(hrc_refs.names["OSCNTAB"]))
    assert got.primary.get("BLEVCORR") == "COMPLETE"
    assert "BLEVCORR complete, but default bias level was subtracted." in history(got)
    assert got.imsets[0].shape == raw.imsets[0].shape
    assert got.imsets[0].sci.mean() > 4000


def test_a_dummy_bpixtab_leaves_the_saturation_flags(hrc, hrc_refs, dummy):
    got = acsccd.run(hrc(), bpixtab=dummy(hrc_refs.names["BPIXTAB"]))
    assert got.primary.get("DQICORR") == "SKIPPED"
    text = history(got)
    assert "DQICORR skipped due to dummy reference file ..." in text
    assert "values checked for saturation" in text
    assert "DQ array initialized ..." in text
    assert records(got)["DQICORR"].status == "skipped"


def test_a_dummy_biasfile_skips_the_step(hrc, hrc_refs, dummy):
    got = acsccd.run(hrc(), biasfile=dummy(hrc_refs.names["BIASFILE"]))
    assert got.primary.get("BIASCORR") == "SKIPPED"
    assert "BIASCORR skipped due to dummy reference file ..." in history(got)
    assert records(got)["saturation"].values == {}


def test_a_dummy_satufile_is_used(hrc, hrc_refs, dummy):
    got = acsccd.run(hrc(), satufile=dummy(hrc_refs.names["SATUFILE"]))
    assert got.primary.get("BIASCORR") == "COMPLETE"
    assert "n_saturated" in records(got)["saturation"].values


def test_only_dummies_left(hrc, hrc_refs, dummy):
    with pytest.raises(errors.NothingToDo, match="dummy"):
        acsccd.run(hrc(), biasfile=dummy(hrc_refs.names["BIASFILE"]), dqicorr="OMIT", blevcorr="OMIT")


@pytest.mark.parametrize("keyword", ["CCDTAB", "OSCNTAB", "BIASFILE", "SATUFILE"])
@pytest.mark.parametrize("name", ["", "N/A", "n/a", None, "jref$nothere.fits"])
def test_a_missing_reference(hrc, keyword, name):
    with pytest.raises(errors.ReferenceMissing, match=keyword) as caught:
        acsccd.run(hrc({keyword: name}))
    assert caught.value.status == 115


@pytest.mark.parametrize("name", ["", "N/A", "n/a", None])
def test_no_bpixtab_is_fine(hrc, name):
    got = acsccd.run(hrc({"BPIXTAB": name}))
    assert got.primary.get("DQICORR") == "COMPLETE"
    assert "DQ array initialized" not in history(got)


def test_a_bpixtab_that_is_named_must_be_there(hrc):
    with pytest.raises(errors.ReferenceMissing, match=r"BPIXTAB jref\$nothere\.fits"):
        acsccd.run(hrc({"BPIXTAB": "jref$nothere.fits"}))


def test_all_problems_are_told_together(hrc):
    missing = dict.fromkeys(("CCDTAB", "OSCNTAB", "BPIXTAB", "BIASFILE", "SATUFILE"), "jref$nothere.fits")
    with pytest.raises(errors.PreflightFailed) as caught:
        acsccd.run(hrc(missing))
    found = caught.value.problems
    assert caught.value.status == 115
    for keyword in missing:
        assert len([problem for problem in found if str(problem).startswith(keyword)]) == 1, keyword
    assert len(found) == len(missing)


def test_a_problem_is_told_once(hrc):
    with pytest.raises(errors.ReferenceMissing, match="SATUFILE"):
        acsccd.run(hrc({"SATUFILE": "N/A"}))


@pytest.mark.parametrize(
    ("keyword", "other"),
    [
        ("BIASFILE", "CCDTAB"),
        ("SATUFILE", "OSCNTAB"),
        ("CCDTAB", "BIASFILE"),
        ("OSCNTAB", "CCDTAB"),
        ("BPIXTAB", "SATUFILE"),
    ],
)
def test_a_reference_of_another_kind(hrc, hrc_refs, keyword, other):
    with pytest.raises(errors.CalacsError, match=keyword):
        acsccd.run(hrc({keyword: f"jref${hrc_refs.names[other]}"}))


def test_references_of_another_detector(hrc, wfc_refs):
    for keyword in ("BIASFILE", "CCDTAB", "BPIXTAB"):
        with pytest.raises(errors.ReferenceMissing, match=f"{keyword}.*for the WFC, .*with the HRC") as caught:
            acsccd.run(hrc({keyword: f"jref${wfc_refs.names[keyword]}"}))
        assert caught.value.status == 115


def test_a_damaged_reference(hrc, hrc_refs, jref, tmp_path):
    for keyword in ("BIASFILE", "CCDTAB"):
        path = tmp_path / "damaged.fits"
        content = (jref / hrc_refs.names[keyword]).read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(errors.ReferenceMissing, match=rf"{keyword}.*damaged\.fits"):
            acsccd.run(hrc(), **{keyword.lower(): path})


@pytest.fixture
def table(jref, hrc_refs, tmp_path):
    """Changed copy of a reference table."""

    def make(keyword, change):
        with astropy_fits.open(jref / hrc_refs.names[keyword]) as hdus:
            changed = change(hdus[1]) or hdus[1]
            path = tmp_path / f"changed_{keyword.lower()}.fits"
            astropy_fits.HDUList([hdus[0].copy(), changed.copy()]).writeto(path, overwrite=True)
        return str(path)

    return make


def without(*names):
    def change(hdu):
        columns = [column for column in hdu.columns if column.name not in names]
        return astropy_fits.BinTableHDU.from_columns(columns, name=hdu.name)

    return change


def setting(**values):
    def change(hdu):
        for name, value in values.items():
            hdu.data[name][:] = value

    return change


@pytest.mark.parametrize("keyword", ["CCDTAB", "OSCNTAB", "BPIXTAB"])
def test_missing_columns_are_named(hrc, table, keyword):
    gone = {"CCDTAB": ("AMPX", "READNSEC"), "OSCNTAB": ("TRIMX1", "NY"), "BPIXTAB": ("PIX1", "VALUE")}[keyword]
    with pytest.raises(errors.ColumnNotFound, match=f"{keyword}.*lacks the columns .*") as caught:
        acsccd.run(hrc(), **{keyword.lower(): table(keyword, without(*gone))})
    assert caught.value.status == 142
    assert all(name in str(caught.value) for name in gone)


def test_every_column_of_ccdtab_is_needed(hrc, table):
    """Those that are never used as well, as officially."""
    with pytest.raises(errors.ColumnNotFound) as caught:
        acsccd.run(hrc(), ccdtab=table("CCDTAB", without(*CCDTAB_COLUMNS[1:])))
    assert all(name in str(caught.value) for name in CCDTAB_COLUMNS[1:])


@pytest.mark.parametrize("column", ["CCDGAIN", "CCDAMP"])
def test_columns_that_bpixtab_may_lack(hrc, table, column):
    got = acsccd.run(hrc(), bpixtab=table("BPIXTAB", without(column)))
    assert same_bits(got.imsets[0].dq, acsccd.run(hrc()).imsets[0].dq)


@pytest.mark.parametrize(("column", "value"), [("LENGTH", 0), ("LENGTH", -4), ("AXIS", 0), ("AXIS", 3)])
def test_bad_rows_of_bpixtab(hrc, table, column, value):
    with pytest.raises(errors.TableError, match=r"row 1.*LENGTH must be at least 1 and AXIS 1 or 2") as caught:
        acsccd.run(hrc(), bpixtab=table("BPIXTAB", setting(**{column: value})))
    assert caught.value.status == 141


def test_no_row_of_bpixtab_applies(hrc, table):
    """PARITY: the place-holder sits at the second pixel of the second line."""
    with pytest.warns(CalacsWarning, match="BPIXTAB has no row"):
        got = acsccd.run(hrc(), bpixtab=table("BPIXTAB", setting(CCDCHIP=2)), biascorr="OMIT", blevcorr="OMIT")
    assert np.argwhere(got.imsets[0].dq & 64).tolist() == [[1, 1]]


@pytest.mark.parametrize("keywords", [{"CCDAMP": "CA"}, {"CCDGAIN": 3.0}, {"CCDOFSTB": 77}, {"CCDAMP": ""}])
def test_no_row_of_ccdtab(hrc, keywords):
    with pytest.raises(errors.RowNotFound, match=r"CCDTAB .*no row for CCDAMP=.*rows searched") as caught:
        acsccd.run(hrc(keywords))
    assert caught.value.status == 141


def test_no_row_of_oscntab(hrc, table):
    raw = hrc({"BIASCORR": "OMIT"})
    with pytest.warns(CalacsWarning, match="OSCNTAB .*no row"):
        got = acsccd.run(raw, oscntab=table("OSCNTAB", setting(NX=5)))
    assert got.imsets[0].shape == raw.imsets[0].shape
    assert any("has no row" in note for note in records(got)["DQICORR"].notes)
    assert any("no overscan region" in note for note in records(got)["BLEVCORR"].notes)
    assert records(got)["noise"].notes == ()
    assert "but default bias level was subtracted" in history(got)
    assert got.imsets[0].header["SCI"].get("LTV1") == raw.imsets[0].header["SCI"].get("LTV1")


def test_gain_zero(hrc, table):
    with pytest.raises(errors.PreflightFailed, match="(?s)no valid gain .*no valid read noise") as caught:
        acsccd.run(hrc(), ccdtab=table("CCDTAB", setting(ATODGNC=0.0)))
    assert isinstance(caught.value.problems[0], errors.TableError)
    with pytest.raises(errors.TableError, match="no valid read noise"):
        acsccd.run(hrc(), ccdtab=table("CCDTAB", setting(READNSEC=0.0)))


@pytest.mark.parametrize("keyword", ["BIASFILE", "SATUFILE"])
def test_a_reference_without_the_chip(hrc, hrc_refs, jref, tmp_path, keyword):
    path = tmp_path / "other.fits"
    shutil.copy(jref / hrc_refs.names[keyword], path)
    astropy_fits.setval(path, "CCDCHIP", value=2, extname="SCI", extver=1)
    with pytest.raises(errors.ChipNotFound, match=rf"{keyword}.*chip 1") as caught:
        acsccd.run(hrc(), **{keyword.lower(): path})
    assert caught.value.status == 152


@pytest.mark.parametrize("keyword", ["BIASFILE", "SATUFILE"])
def test_a_reference_that_is_too_small(hrc, keyword):
    hdus = astropy_fits.HDUList([astropy_fits.PrimaryHDU()])
    for name, dtype in (("SCI", "f4"), ("ERR", "f4"), ("DQ", "i2")):
        hdus.append(astropy_fits.ImageHDU(np.ones((1024, 1024), dtype), name=name))
    with pytest.raises(errors.SizeMismatch, match=rf"{keyword}.*1024 rows x 1024 columns do not cover") as caught:
        acsccd.run(hrc(), **{keyword.lower(): hdus})
    assert caught.value.status == 120


# Header values


@pytest.mark.parametrize("keyword", ["ROOTNAME", "DETECTOR", "EXPTIME", "EXPSTART", "EXPEND", "SUBARRAY", "CCDAMP"])
def test_required_keywords(hrc, keyword):
    with pytest.raises(errors.KeywordMissing, match=keyword) as caught:
        acsccd.run(hrc({keyword: None}))
    assert caught.value.status == 117


@pytest.mark.parametrize(
    ("keywords", "status"),
    [
        ({"DETECTOR": "XYZ"}, 1111),
        ({"DETECTOR": "hrc"}, 1111),
        ({"DETECTOR": 5}, 119),
        ({"EXPTIME": -1.0}, 1111),
        ({"EXPTIME": "long"}, 119),
        ({"CCDAMP": "E"}, 1111),
        ({"CCDAMP": "ABCDA"}, 1111),
        ({"SUBARRAY": 0}, 119),
        ({"SUBARRAY": "F"}, 119),
        ({"CCDGAIN": "two"}, 119),
        ({"CCDOFSTA": 2.5}, 119),
        ({"INSTRUME": "WFC3"}, 119),
        ({"EXPSTART": "now"}, 119),
    ],
)
def test_header_values_outside_their_domain(hrc, keywords, status):
    with pytest.raises(errors.CalacsError, match=next(iter(keywords))) as caught:
        acsccd.run(hrc(keywords))
    assert caught.value.status == status


def test_nextend(hrc):
    exposure = hrc()
    exposure.primary.set("NEXTEND", 2)
    with pytest.raises(errors.InvalidValue, match="NEXTEND = 2 must be at least 3"):
        acsccd.run(exposure)


@pytest.mark.parametrize("keyword", ["LTM1_1", "LTM2_2"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_scales_must_be_positive(hrc, keyword, value):
    exposure = hrc()
    exposure.imsets[0].header["SCI"].set(keyword, value)
    with pytest.raises(errors.InvalidValue, match="both must be positive") as caught:
        acsccd.run(exposure)
    assert caught.value.status == 1111


def test_lower_case_amplifiers_and_defaults(hrc):
    want = acsccd.run(hrc())
    for keywords in ({"CCDAMP": "c"}, {"CCDOFSTA": None}, {"APERTURE": None}, {"TARGNAME": None}, {"CCDOFSTD": 3.0}):
        assert same_bits(acsccd.run(hrc(keywords)).imsets[0].sci, want.imsets[0].sci)


# What is in the product


def test_the_product_of_a_bias_frame_has_a_constant_uncertainty(hrc):
    got = acsccd.run(hrc({"TARGNAME": "BIAS"}))
    (imset,) = got
    assert (imset.err == np.float32(4.73)).all()
    assert imset.header["ERR"].get_int("NPIX1") == 1024
    assert imset.header["ERR"].get_float("PIXVALUE") == pytest.approx(4.73)


def test_keywords_of_the_product(hrc):
    raw = hrc()
    got = acsccd.run(raw)
    header, sci = got.primary, got.imsets[0].header["SCI"]
    assert header.get("CAL_VER").startswith("10.5.0")
    assert [header.get(f"ATODGN{amp}") for amp in "ABCD"] == [0, 0, pytest.approx(2.23), 0]
    assert header.get("BIASLEVC") == pytest.approx(records(got)["BLEVCORR"].values["levels"]["C"], rel=1e-6)
    assert sci.get("MEANBLEV") == header.get("BIASLEVC")
    assert (sci.get("SIZAXIS1"), sci.get("SIZAXIS2")) == (1024, 1024)
    for plane in ("SCI", "ERR", "DQ"):
        old, new = raw.imsets[0].header[plane], got.imsets[0].header[plane]
        assert (new.get("LTV1"), new.get("LTV2")) == (0.0, 0.0)
        assert new.get("CRPIX1") == old.get("CRPIX1") - 19
        assert new.get("CRPIX2") == old.get("CRPIX2")
    assert got.imsets[0].header["ERR"].get("BUNIT") == "ELECTRONS"
    assert got.imsets[0].header["DQ"].get("BUNIT") == "UNITLESS"


def test_dark_time_of_supported_subarrays(wfc):
    got = acsccd.run(wfc(aperture="WFC1A-512", exptime=20.0))
    assert got.primary.get_float("DARKTIME") == 20.5
    got = acsccd.run(wfc(aperture="WFC2-SMFL", exptime=20.0))
    assert got.primary.get_float("DARKTIME") == 20.0


def test_sink_pixels(wfc):
    got = acsccd.run(wfc(aperture="WFC1A-512", exptime=20.0))
    assert got.primary.get("SINKCORR") == "COMPLETE"
    assert records(got)["SINKCORR"].values["n_flagged"][0] > 100
    with pytest.raises(errors.ReferenceMissing, match="SNKCFILE"):
        acsccd.run(wfc({"SNKCFILE": "N/A"}, aperture="WFC1A-512", exptime=20.0))


def test_a_bias_shift_needs_enough_lines(wfc):
    exposure = wfc({"APERTURE": "WFC1A-2K", "JWROTYPE": "DS_int"}, aperture="WFC1A-1K", exptime=1.0)
    refs = exposure.primary.get_str("OSCNTAB").replace("jref$", os.environ["jref"])
    with astropy_fits.open(refs) as hdus:
        hdus[1].data["TRIMY1"][:] = 20
        with pytest.raises(errors.SizeMismatch, match="2067 lines"):
            acsccd.run(exposure, oscntab=hdus)


@pytest.mark.parametrize(
    "values",
    [{"VX2": 5000}, {"VY2": 2000}, {"VX1": -3}, {"TRIMX1": 600, "TRIMX2": 600}, {"TRIMY2": 1044}, {"TRIMX2": -1}],
)
def test_an_oscntab_row_that_leaves_the_image(hrc, table, values):
    with pytest.raises(errors.TableError, match=r"OSCNTAB.*do not lie in the image of 1062 x 1044 pixels") as caught:
        acsccd.run(hrc(), oscntab=table("OSCNTAB", setting(**values)), biascorr="OMIT")
    assert caught.value.status == 141


def test_threads_do_not_matter(wfc):
    raw = wfc()
    want = acsccd.run(raw, n_threads=1)
    for n_threads in (7,):
        assert same_exposure(acsccd.run(raw, n_threads=n_threads), want, ignore=())


# Records


def test_records(hrc):
    got = acsccd.run(hrc())
    assert [record.name for record in got.records] == [
        "DQICORR", "BIASCORR", "electrons", "BLEVCORR", "darktime", "saturation", "noise", "SINKCORR",
    ]  # fmt: skip
    by_name = records(got)
    assert {record.task for record in got.records} == {"acsccd"}
    assert all(record.seconds >= 0 for record in got.records)
    assert by_name["BIASCORR"].references == {"BIASFILE": "jref$simhrc_bia.fits [SCI,1] (chip 1)"}
    assert by_name["DQICORR"].references["BPIXTAB"].startswith("jref$simhrc_bpx.fits 400 of 400 rows")
    fit = by_name["BLEVCORR"].values["fits"]["C"]
    assert fit.intercept == pytest.approx(2260 * 2.23, abs=30)
    assert not fit.default
    assert by_name["SINKCORR"].status == "omitted"


def test_progress(hrc):
    told = []
    acsccd.run(hrc(), progress=told.append)
    assert told[0] == "acsccd: DQICORR"
    assert len(told) == 8


# Overrides


def test_a_switch_by_keyword(hrc):
    for value in ("OMIT", "omit", False):
        got = acsccd.run(hrc(), biascorr=value)
        assert got.primary.get("BIASCORR") == "OMIT"
    got = acsccd.run(hrc({"BIASCORR": "OMIT"}), biascorr=True)
    assert got.primary.get("BIASCORR") == "COMPLETE"


def test_a_reference_by_keyword(hrc, hrc_refs, jref):
    path = jref / hrc_refs.names["BIASFILE"]
    want = acsccd.run(hrc())
    for source in (path, str(path), "jref$simhrc_bia.fits"):
        got = acsccd.run(hrc({"BIASFILE": "N/A"}), biasfile=source)
        assert same_bits(got.imsets[0].sci, want.imsets[0].sci)
        assert got.primary.get("BIASFILE") == str(source)[:68]
        assert f"reference image {source}"[:60] in history(got).replace("\n", "")
    with astropy_fits.open(path) as hdus:
        got = acsccd.run(hrc({"BIASFILE": "N/A"}), biasfile=hdus)
    assert same_bits(got.imsets[0].sci, want.imsets[0].sci)
    assert "object in memory" in history(got)


def test_a_column_by_keyword(hrc):
    want = acsccd.run(hrc())
    got = acsccd.run(hrc(), readnsec=9.5)
    assert got.primary.get_float("READNSEC") == 9.5
    assert (got.imsets[0].err > want.imsets[0].err).mean() > 0.99
    assert "READNSEC = 9.5 replaced the value of the reference table" in history(got)
    assert same_bits(acsccd.run(hrc()).imsets[0].err, want.imsets[0].err)


def test_a_keyword_by_keyword(hrc):
    got = acsccd.run(hrc(), targname="BIAS-FRAME", darktime=77.0)
    assert got.primary.get_float("DARKTIME") == 77.0
    assert len(np.unique(got.imsets[0].err)) == 1
    got = acsccd.run(hrc(), sdqflags=0)
    assert got.imsets[0].header["SCI"].get("SDQFLAGS") == 0


def test_a_keyword_that_does_not_exist(hrc):
    with pytest.raises(TypeError, match="unexpected argument 'biascor'; did you mean biascorr"):
        acsccd.run(hrc(), biascor="OMIT")
    with pytest.raises(ValueError, match="biascorr must be 'PERFORM', 'OMIT'"):
        acsccd.run(hrc(), biascorr="YES")


def test_no_warning_where_all_is_well(hrc):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        acsccd.run(hrc())
