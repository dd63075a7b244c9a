"""The task acs2d: official results, both doors, switches, references, errors."""

import json

import numpy as np
import pytest

import official_acs2d as official
import trimmed
from calacs import acs2d, errors, fits, sim
from calacs.errors import CalacsWarning, PreflightFailed
from calacs.exposure import Exposure
from calacs.overrides import Overrides
from calacs.refs import Problems, References
from calacs.sim.files import to_hdulist
from helpers import digest, nothing_changes, same_bits, same_exposure

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")
P = "PERFORM"


def records(exposure):
    return {record.name: record for record in exposure.records}


def history(exposure):
    return "\n".join(exposure.primary.history)


@pytest.fixture(scope="module")
def record():
    return json.loads(official.RECORD.read_text())


# The official program's results


@pytest.mark.parametrize("case", official.CASES)
def test_the_result_is_that_of_the_official_program(case, record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = official.write(case, tmp_path)
    (product,) = acs2d.acs2d(source, quiet=True, output=tmp_path / "x_out.fits")
    for number, (got, want) in enumerate(zip(official.digests(source, product), record[case], strict=True)):
        assert got[1] == want[1], f"pixels of unit {number}"
        assert got[0] == want[0], f"cards of unit {number}"


# Doors


def make(keywords=None, used=(), *, detector="HRC", chips=(1,), refs=None, **exposure):
    """An exposure and its reference files in memory."""
    used = ("CCDTAB", *used) if detector != "SBC" else used
    found = trimmed.references(used=used, chips=chips, detector=detector, **(refs or {}))
    hdus, given = trimmed.in_memory(trimmed.science(detector, chips=chips, keywords=keywords, **exposure), found)
    return fits.as_exposure(hdus), given


def full(**exposure):
    return make(official.CHAIN, (*official.IMAGES, "IMPHTTAB"), **exposure)


@pytest.mark.parametrize("case", ["wfc", "hrc_sub", "sbc", "spots_sub", "shading_sub"])
def test_files_and_memory_give_the_same(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = official.write(case, tmp_path)
    (product,) = acs2d.acs2d(str(source), quiet=True)
    assert product.name == "x_flt.fits"
    from_path = acs2d.run(source)
    assert same_exposure(from_path, fits.read_exposure(product), ignore=())
    hdus, refs = official.make(case)
    exposure, objects = trimmed.in_memory(hdus, refs)
    named = {key: value for key, value in objects.items() if key.upper() in records_used(from_path)}
    from_objects = acs2d.run(exposure, **named)
    assert all(
        same_bits(one.plane(plane), other.plane(plane))
        for one, other in zip(from_objects, from_path, strict=True)
        for plane in ("SCI", "ERR", "DQ")
    )


def records_used(exposure):
    used = {"CCDTAB"} if exposure.primary.get("DETECTOR") != "SBC" else set()
    return used.union(*(record.references for record in exposure.records))


@pytest.mark.parametrize("case", ["wfc", "spots_sub", "shading_sub", "sbc"])
def test_the_bits_do_not_depend_on_the_number_of_threads(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("calacs.refs.PART_ROWS", 5)
    source = official.write(case, tmp_path)
    first = acs2d.run(source, n_threads=1)
    for n_threads in (2, 7):
        assert same_exposure(first, acs2d.run(source, n_threads=n_threads), ignore=())


def test_the_input_is_not_changed(tmp_path, monkeypatch):
    exposure, refs = full()
    before = exposure.copy()
    acs2d.run(exposure, **refs)
    assert same_exposure(exposure, before, ignore=())
    assert exposure.records == []
    monkeypatch.chdir(tmp_path)
    source = official.write("hrc", tmp_path)
    names = digest(source), digest(tmp_path / "darkfile.fits")
    acs2d.acs2d(source, quiet=True)
    assert (digest(source), digest(tmp_path / "darkfile.fits")) == names


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("x_raw.fits", "x_flt.fits"),
        ("x_blv_tmp.fits", "x_flt.fits"),
        ("x_blc_tmp.fits", "x_flc.fits"),
        ("x_crj_tmp.fits", "x_crj.fits"),
        ("x_crc_tmp.fits", "x_crc.fits"),
        ("x_foo.fits", "x_foo_flt.fits"),
    ],
)
def test_names_of_products(name, product, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    official.write("hrc_rate", tmp_path).rename(tmp_path / name)
    (made,) = acs2d.acs2d(name, quiet=True)
    assert made.name == product
    assert fits.read_exposure(made).primary.get("FILENAME") == product
    assert (tmp_path / made.name.replace("_flt.fits", ".tra").replace("_flc.fits", ".tra")).exists() or "cr" in product
    with pytest.raises(errors.OutputExists):
        acs2d.acs2d(name, quiet=True)
    monkeypatch.setenv("imclobber", "yes")
    acs2d.acs2d(name, quiet=True)


def test_names_that_are_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    official.write("hrc_rate", tmp_path)
    made = acs2d.acs2d("x_blv_tmp.fits,x_blv_tmp.fits", output="my-one,two.fits")
    assert [path.name for path in made] == ["my-one.fits", "two.fits"]
    assert fits.read_exposure(made[0]).primary.get("FILENAME") == "one.fits"
    assert "*** ACS2D complete ***" in capsys.readouterr().out
    with pytest.raises(ValueError, match="1 names for 2 inputs"):
        acs2d.acs2d("x_blv_tmp.fits,x_blv_tmp.fits", output="three.fits")


def test_the_records_tell_what_was_done():
    exposure, refs = full()
    seen = []
    found = records(acs2d.run(exposure, progress=seen.append, **refs))
    assert {name: one.status for name, one in found.items() if one.status != "complete"} == {
        "DQICORR": "omitted",
        "GLINCORR": "omitted",
        "LFLGCORR": "omitted",
        "electrons": "skipped",
        "noise": "skipped",
    }
    assert found["DARKCORR"].values["dark_time"] == 102.5
    assert found["DARKCORR"].values["mean"][0] == pytest.approx(1.0, rel=0.1)
    assert found["PHOTCORR"].values["PHOTZPT"] == -21.1
    assert found["photmode"].values == {"photmode": "ACS HRC F606W MJD#53000.2500"}
    assert found["statistics"].values["n_good"][0] > 0
    assert seen[0] == "acs2d: DQICORR"


def test_switches_and_parameters_can_be_replaced():
    exposure, refs = full()
    plain = acs2d.run(exposure, **refs)
    made = acs2d.run(exposure, flatcorr=False, shadcorr="OMIT", darktime=0.0, filter1="F555W", sdqflags=0, **refs)
    assert made.primary.get("FLATCORR") == "OMIT"
    assert made.imsets[0].header["SCI"].get("MEANDARK") == 0.0
    assert made.imsets[0].header["SCI"].get("PHOTMODE") == "ACS HRC F555W MJD#53000.2500"
    assert made.imsets[0].header["SCI"].get("NGOODPIX") == made.imsets[0].sci.size
    assert not same_bits(made.imsets[0].sci, plain.imsets[0].sci)


def test_a_table_value_can_be_replaced():
    exposure, refs = make({"DARKCORR": P}, ("DARKFILE",), sci={"BUNIT": "COUNTS"}, err=0.0)
    values = dict.fromkeys(("atodgna", "atodgnb", "atodgnc", "atodgnd"), 4.0)
    made = acs2d.run(exposure, darkcorr=False, dqicorr=True, bpixtab="N/A", **values, **refs)
    assert np.allclose(made.imsets[0].sci, 4.0 * exposure.imsets[0].sci)
    assert "ATODGNA = 4.0 replaced the value of the reference table" in history(made)


# What the driver chooses


@pytest.mark.parametrize(
    ("pctecorr", "chosen"), [("COMPLETE", "DRKCFILE"), ("PERFORM", "DARKFILE"), ("OMIT", "DARKFILE")]
)
def test_the_dark_image_follows_the_header_unless_told(pctecorr, chosen):
    exposure, refs = make({"DARKCORR": P, "PCTECORR": pctecorr}, ("DARKFILE", "DRKCFILE"))
    assert list(records(acs2d.run(exposure, **refs))["DARKCORR"].references) == [chosen]
    given = Overrides.of(refs)
    for corrected, keyword in ((False, "DARKFILE"), (True, "DRKCFILE")):
        job = acs2d.prepare(exposure.copy(), given, cte_corrected=corrected)
        acs2d.finish(job, "x_flt.fits")
        assert list(records(job.exposure)["DARKCORR"].references) == [keyword]


def test_expscorr_is_marked_where_the_driver_says_so():
    exposure, refs = make({"DARKCORR": P}, ("DARKFILE",))
    assert acs2d.run(exposure, **refs).primary.get("EXPSCORR") == "PERFORM"
    made = acs2d.run(exposure, expscorr=True, **refs)
    assert made.primary.get("EXPSCORR") == "COMPLETE"
    assert made.primary.history[-1] == "EXPSCORR complete ..."


def test_headers_are_enough_to_check():
    exposure, refs = full()
    collected = Problems()
    given = Overrides.of(refs)
    shared = References(exposure.primary, given.references)
    job = acs2d.prepare(exposure.copy_headers(), given, refs=shared, problems=collected)
    assert collected.found == []
    assert [one.name for one in job.steps if one.state(job).name == "PERFORM"][-1] == "statistics"
    acs2d.finish(acs2d.prepare(exposure, given, refs=shared), "x_flt.fits")


def test_an_exposure_goes_on_in_memory_as_from_a_file(tmp_path, monkeypatch, hrc_refs, hrc, jref):
    from calacs import acsccd

    hrc_refs.write(jref, ["DARKFILE", "PFLTFILE", "IMPHTTAB"], overwrite=True)
    raw = hrc()
    leveled = acsccd.run(raw)
    path = leveled.write(tmp_path / "x_blv_tmp.fits")
    assert same_exposure(acs2d.run(leveled), acs2d.run(path))


def test_the_truth_comes_back(hrc_refs, jref):
    from calacs import acsccd

    hrc_refs.write(jref, ["DARKFILE", "PFLTFILE", "IMPHTTAB"], overwrite=True)
    made = sim.simulate(
        "HRC",
        references=hrc_refs,
        seed=2,
        exptime=300.0,
        effects={"flat", "dark", "read_noise", "poisson", "bias_level"},
    )
    flt = acs2d.run(acsccd.run(made.to_hdulist()))
    pull = (flt.imsets[0].sci - made.truth[0].sci) / flt.imsets[0].err
    good = flt.imsets[0].dq == 0
    # The uncertainty follows the measured signal, so that low values weigh more.
    assert abs(float(np.mean(pull[good]))) < 0.12
    assert float(np.std(pull[good])) == pytest.approx(1.0, abs=0.05)


# Errors


def fails(error, match, exposure, refs, **overrides):
    """The run fails, and leaves the exposure as it was."""
    before = exposure.copy() if isinstance(exposure, Exposure) else None
    with pytest.raises(error, match=match) as caught:
        acs2d.run(exposure, **refs, **overrides)
    assert before is None or same_exposure(exposure, before, ignore=())
    return caught.value


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"DETECTOR": "NIC"}, errors.InvalidValue, "DETECTOR"),
        ({"EXPTIME": -1.0}, errors.InvalidValue, "EXPTIME"),
        ({"CCDAMP": "ABCE"}, errors.InvalidValue, "CCDAMP"),
        ({"DARKCORR": "MAYBE"}, errors.HeaderProblem, "DARKCORR = 'MAYBE'"),
        ({"DARKCORR": ""}, errors.HeaderProblem, "DARKCORR"),
        ({"PCTECORR": "MAYBE"}, errors.HeaderProblem, "PCTECORR"),
        ({"BLEVCORR": "MAYBE"}, errors.HeaderProblem, "BLEVCORR"),
        ({"BLEVCORR": "OMIT"}, errors.StepNotDone, "run acsccd"),
        ({"BLEVCORR": None}, errors.StepNotDone, "run acsccd"),
        ({"SUBARRAY": 1}, errors.HeaderProblem, "SUBARRAY"),
        ({"DARKCORR": "COMPLETE"}, errors.NothingToDo, "DARKCORR"),
        ({"DARKCORR": "OMIT"}, errors.NothingToDo, "DARKCORR"),
        ({"DARKFILE": "N/A"}, errors.ReferenceMissing, "DARKFILE"),
        ({"DARKFILE": "nix.fits"}, errors.ReferenceMissing, "nix.fits not found"),
        ({"FLATCORR": P, "PFLTFILE": "N/A"}, errors.ReferenceMissing, "PFLTFILE, DFLTFILE and LFLTFILE"),
        *(
            ({key: None}, errors.KeywordMissing, key)
            for key in ("ROOTNAME", "DETECTOR", "EXPTIME", "EXPSTART", "EXPEND", "SUBARRAY", "CCDAMP")
        ),
    ],
)
def test_headers_that_cannot_be_used(keywords, error, match):
    exposure, refs = make({"DARKCORR": P} | keywords, ("DARKFILE",))
    if "DARKFILE" in keywords:
        del refs["darkfile"]
    found = fails(error, match, exposure, refs)
    assert found.status == error.status


@pytest.mark.parametrize(("axis", "value"), [(1, 1.0), (2, 0.5)])
def test_overscan_must_be_trimmed(axis, value):
    exposure, refs = make({"DARKCORR": P}, ("DARKFILE",), sci={"BUNIT": "ELECTRONS", f"LTV{axis}": value})
    found = fails(errors.CalacsError, "overscan is not trimmed.*row in OSCNTAB", exposure, refs)
    assert found.status == 130


@pytest.mark.parametrize(
    ("keyword", "options", "error", "match"),
    [
        ("DARKFILE", {"shape": (24, 29)}, errors.SizeMismatch, "do not cover"),
        ("DARKFILE", {"shape": (23, 30)}, errors.SizeMismatch, "do not cover"),
        ("FLSHFILE", {"shape": (23, 30)}, errors.SizeMismatch, "do not cover"),
        ("PFLTFILE", {"shape": (24, 29)}, errors.SizeMismatch, "do not cover"),
        ("SHADFILE", {"shape": (23, 30)}, errors.SizeMismatch, "do not cover"),
        ("DARKFILE", {"sci": {"LTM1_1": 0.5}}, errors.ReferenceCoarser, "binned"),
        ("DARKFILE", {"sci": {"LTM1_1": 0.0}}, errors.InvalidValue, "LTM1_1"),
        ("DARKFILE", {"sci": {"LTM1_1": 4.0}}, errors.InvalidValue, "LTM1_1"),
        ("FLSHFILE", {"shape": (40, 40), "sci": {"LTV1": 1.0}}, errors.SizeMismatch, "untrimmed overscan"),
        (
            "SHADFILE",
            {"shape": (5, 15), "sci": {"LTM1_1": 0.5, "LTM2_2": 0.2}},
            errors.SizeMismatch,
            "whole pairs of rows",
        ),
        ("SHADFILE", {"shape": (24, 30), "sci": {"LTM1_1": 0.5, "LTV1": 70.0}}, errors.SizeMismatch, "expanded by"),
        ("DARKFILE", {"chips": (2,)}, errors.ChipNotFound, "chip 1"),
        ("FLSHFILE", {"chips": (2, 3)}, errors.ChipNotFound, "chip 1"),
        ("DARKFILE", {"primary": {"NEXTEND": 0}}, errors.ChipNotFound, "chip 1"),
        ("DARKFILE", {"primary": {"PEDIGREE": "DUMMY"}}, errors.NothingToDo, "dummy"),
    ],
)
def test_images_that_do_not_fit(keyword, options, error, match):
    switch = {"DARKFILE": "DARKCORR", "FLSHFILE": "FLSHCORR", "PFLTFILE": "FLATCORR", "SHADFILE": "SHADCORR"}[keyword]
    exposure, refs = make({switch: P}, (keyword,), refs={keyword: options})
    assert fails(error, match, exposure, refs).status == error.status


@pytest.mark.parametrize("plane", ["ERR", "DQ"])
def test_planes_of_a_reference_that_are_missing_or_of_another_size(plane):
    exposure, refs = make({"DARKCORR": P}, ("DARKFILE",))
    number = {"ERR": 2, "DQ": 3}[plane]
    lost = to_hdulist([hdu for i, hdu in enumerate(trimmed.image("DARKFILE")) if i != number])
    fails(errors.FileNotReadable, rf"\[{plane},1\]", exposure, refs | {"darkfile": lost})
    other = trimmed.image("DARKFILE")
    other[number] = trimmed.image("DARKFILE", (24, 31))[number]
    fails(errors.SizeMismatch, rf"\[{plane},1\]", exposure, refs | {"darkfile": to_hdulist(other)})


def tables(*hdus):
    return to_hdulist(list(hdus))


@pytest.mark.parametrize(
    ("keyword", "hdus", "error", "match"),
    [
        ("CCDTAB", trimmed.ccdtab({"CCDCHIP": 2}), errors.RowNotFound, "CCDCHIP=1"),
        ("CCDTAB", trimmed.ccdtab({"CCDOFSTA": 4}), errors.RowNotFound, "CCDOFSTA"),
        ("CCDTAB", trimmed.ccdtab(primary={"PEDIGREE": "DUMMY"}), errors.ReferenceMissing, "dummy"),
        ("CCDTAB", trimmed.table([("CCDAMP", "4A", ["ABCD"])]), errors.ColumnNotFound, "CCDCHIP"),
        ("BPIXTAB", trimmed.bpixtab(("ANY", 1, -1, 1, 1, 1, 3, 4)), errors.TableError, "AXIS=3"),
        ("BPIXTAB", trimmed.bpixtab(("ANY", 2, -1, 1, 1, 0, 1, 4)), errors.TableError, "LENGTH=0"),
        ("IMPHTTAB", trimmed.imphttab(("acs,hrc,f999w,mjd#", [], [])), errors.RowNotFound, "acs,hrc,f606w,mjd#"),
        ("IMPHTTAB", trimmed.imphttab(primary={"PARNUM": None}), errors.KeywordMissing, "PARNUM"),
        ("IMPHTTAB", trimmed.imphttab(primary={"PHOTZPT": None}), errors.KeywordMissing, "PHOTZPT"),
        ("IMPHTTAB", trimmed.imphttab(primary={"NEXTEND": None}), errors.KeywordMissing, "NEXTEND"),
        ("IMPHTTAB", trimmed.imphttab(drop=("DATACOL",)), errors.ColumnNotFound, "DATACOL"),
        ("IMPHTTAB", trimmed.imphttab(drop=("PHOTFLAM2",)), errors.ColumnNotFound, "PHOTFLAM2"),
        ("IMPHTTAB", trimmed.imphttab(drop=("NELEM1",)), errors.ColumnNotFound, "NELEM1"),
        ("IMPHTTAB", trimmed.imphttab(names=("PHOTFLAM", "PHOTBW", "OTHER")), errors.FileNotReadable, "PHOTPLAM"),
    ],
)
def test_tables_that_do_not_fit(keyword, hdus, error, match):
    exposure, refs = make({"DARKCORR": P, "DQICORR": P, "PHOTCORR": P}, ("DARKFILE", "BPIXTAB", "IMPHTTAB"))
    assert fails(error, match, exposure, refs | {keyword.lower(): to_hdulist(hdus)}).status == error.status


@pytest.mark.parametrize(
    ("hdus", "error", "match"),
    [
        (trimmed.mlintab("HRC"), errors.RowNotFound, "DETECTOR='SBC'"),
        (trimmed.table([("DETECTOR", "8A", ["SBC"])]), errors.ColumnNotFound, "TAU"),
    ],
)
def test_linearity_tables_that_do_not_fit(hdus, error, match):
    exposure, refs = make({"GLINCORR": P, "LFLGCORR": P}, detector="SBC")
    with pytest.raises(errors.CalacsError, match=match) as caught:
        acs2d.run(exposure, mlintab=to_hdulist(hdus), **refs)
    assert caught.value.status == error.status


def test_the_sbc_needs_its_rate_and_its_bad_pixels():
    exposure, refs = make({"DQICORR": P, "BPIXTAB": "N/A"}, detector="SBC")
    fails(errors.ReferenceMissing, "BPIXTAB", exposure, refs)
    exposure, refs = make({"DQICORR": P}, ("BPIXTAB",), detector="SBC", sci={"GLOBRATE": None})
    fails(errors.KeywordMissing, "GLOBRATE", exposure, refs)


def test_low_order_flats_are_refused():
    exposure, refs = make({"FLATCORR": P}, ("PFLTFILE", "LFLTFILE"))
    fails(errors.Unsupported, "LFLTFILE", exposure, refs)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"CFLTFILE": {"shape": (24, 29)}}, errors.SizeMismatch, "CFLTFILE"),
        ({"SPOTTAB": {"rows": [("soon", 1.0, 1.0)]}}, errors.TableError, "dd/mm/yy"),
        ({"SPOTTAB": trimmed.table([("DATE", "8A", ["01/01/02"])])}, errors.ColumnNotFound, "SHIFTX"),
    ],
)
def test_spots_that_do_not_fit(options, error, match):
    exposure, refs = make(official.SPOTS | {"PHOTCORR": "OMIT"}, ("PFLTFILE", "CFLTFILE", "SPOTTAB"), refs=options)
    assert fails(error, match, exposure, refs).status == error.status


def test_spots_need_a_date():
    exposure, refs = make(official.SPOTS | {"PHOTCORR": "OMIT", "DATE-OBS": None}, ("PFLTFILE", "CFLTFILE", "SPOTTAB"))
    fails(errors.HeaderProblem, "DATE-OBS", exposure, refs)


def test_missing_gains_are_found_beforehand():
    exposure, refs = make(
        {"DARKCORR": P, "CCDAMP": "AC"},
        ("DARKFILE",),
        sci={"BUNIT": "COUNTS"},
        err=0.0,
        refs={"CCDTAB": {"rows": [{"CCDAMP": "AC", "AMPX": 0}]}},
    )
    found = fails(PreflightFailed, "no valid gain", exposure, refs)
    assert "no valid read noise" in str(found)
    in_electrons, refs = make(
        {"DARKCORR": P, "CCDAMP": "AC"}, ("DARKFILE",), refs={"CCDTAB": {"rows": [{"CCDAMP": "AC", "AMPX": 0}]}}
    )
    acs2d.run(in_electrons, **refs)


def test_all_problems_are_reported_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = official.write("hrc", tmp_path)
    for name in ("darkfile.fits", "imphttab.fits"):
        (tmp_path / name).unlink()
    trimmed.write_all(tmp_path, "other.fits", trimmed.science(), {"PFLTFILE": trimmed.image("PFLTFILE", (20, 30))})
    with nothing_changes(tmp_path), pytest.raises(PreflightFailed) as caught:
        acs2d.run(source)
    assert [type(problem).__name__ for problem in caught.value.problems] == [
        "ReferenceMissing",
        "SizeMismatch",
        "ReferenceMissing",
    ]
    with pytest.raises(PreflightFailed):
        acs2d.acs2d(source, quiet=True)
    assert not (tmp_path / "x_flt.fits").exists()


def test_doubtful_things_are_said():
    exposure, refs = make({"FLSHCORR": P, "FLASHDUR": 0.0}, ("FLSHFILE",))
    with pytest.warns(CalacsWarning, match="Post-flash exposure was 0 seconds"):
        made = acs2d.run(exposure, **refs)
    assert made.primary.get("FLSHCORR") == "SKIPPED"
    assert made.imsets[0].header["SCI"].get("MEANFLSH") == 0.0
    assert made.primary.history[-5:-3] == (
        "Post-flash exposure was 0 seconds. FLSHCORR not performed.",
        "FLSHCORR not performed ...",
    )
