"""The flow of single exposures through the tasks: products, switches, both doors, failures."""

import gzip
import os

import numpy as np
import pytest

from calacs import acs2d, acsccd, acscte, calacs, fits
from calacs.calacs import Products
from calacs.errors import (
    CalacsError,
    CalacsWarning,
    FileNotReadable,
    InvalidValue,
    NothingToDo,
    OutputExists,
    PreflightFailed,
    ReferenceMissing,
    StepNotDone,
    WriteFailed,
)
from calacs.flow import Flow
from helpers import digest, nothing_changes, same_exposure
from pipeline import OMITTED, content, contents, products

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")

CTE = {"PCTECORR": "PERFORM"}
P = "PERFORM"
KINDS = {
    "hrc": ("HRC", {}, ["flt"]),
    "hrc_overscan": ("HRC", {"subarray": None}, ["flt"]),
    "sbc": ("SBC", {}, ["flt"]),
    "wfc": ("WFC", {}, ["flt"]),
    "wfc_cte": ("WFC", {"keywords": CTE}, ["flt", "flc"]),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(path, **options):
    return [product.name for product in calacs.calacs(path, quiet=True, **options)]


def stem(path):
    return path.name.removesuffix("_raw.fits")


# ---- products


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_memory_agree(kind, observed, folder):
    detector, options, suffixes = KINDS[kind]
    raw = observed.single(folder, detector, **options)
    before = digest(raw)
    names = [f"{stem(raw)}_{suffix}.fits" for suffix in suffixes]
    in_memory = calacs.run(raw, n_threads=2)
    assert products(folder) == []
    assert list(in_memory) == names
    assert run(raw) == names
    assert products(folder) == sorted(names)
    assert digest(raw) == before
    for name, suffix in zip(names, suffixes, strict=True):
        assert same_exposure(in_memory[suffix], fits.read_exposure(name), ignore=())
        assert in_memory[suffix].primary["FILENAME"] == name
    exposure = fits.read_exposure(raw)
    again = calacs.run(exposure)
    assert all(same_exposure(again[name], in_memory[name], ignore=()) for name in names)
    assert same_exposure(exposure, fits.read_exposure(raw), ignore=())


@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_bits(kind, observed, folder):
    detector, options, _ = KINDS[kind]
    raw = observed.single(folder, detector, **options)
    one = calacs.run(raw, n_threads=1)
    for n_threads in (2, 7):
        other = calacs.run(raw, n_threads=n_threads)
        assert all(same_exposure(one[name], other[name], ignore=()) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tasks_one_by_one_write_the_same_files(kind, observed, folder):
    detector, options, _ = KINDS[kind]
    raw = observed.single(folder / "pipeline", detector, **options)
    run(raw, temp_files=True)
    raw = observed.single(folder / "tasks", detector, **options)
    root = folder / "tasks" / stem(raw)
    if detector == "SBC":
        acs2d.acs2d(raw, quiet=True)
    else:
        acsccd.acsccd(raw, quiet=True)
        acs2d.acs2d(f"{root}_blv_tmp.fits", quiet=True)
    if kind == "wfc_cte":
        acscte.acscte(f"{root}_blv_tmp.fits", quiet=True)
        acs2d.acs2d(f"{root}_blc_tmp.fits", quiet=True)
    assert contents(folder / "pipeline") == contents(folder / "tasks")


def test_records_tell_of_every_task(observed, folder):
    raw = observed.single(folder, "WFC", CTE)
    made = calacs.run(raw)
    tasks = {suffix: list(dict.fromkeys(r.task for r in made[suffix].records)) for suffix in ("flt", "flc")}
    assert tasks == {"flt": ["acsccd", "acs2d"], "flc": ["acsccd", "acscte", "acs2d"]}
    assert made["flt"].primary["PCTECORR"] == "PERFORM"
    assert made["flc"].primary["PCTECORR"] == "COMPLETE"
    dark = {s: next(r for r in made[s].records if r.name == "DARKCORR").references for s in tasks}
    assert (list(dark["flt"]), list(dark["flc"])) == (["DARKFILE"], ["DRKCFILE"])


def test_products_go_beside_the_input(observed, tmp_path):
    raw = observed.single(tmp_path / "a_raw_folder", "HRC")
    assert [product.parent for product in calacs.calacs(raw, quiet=True)] == [raw.parent]
    assert products(raw.parent) == [f"{stem(raw)}_flt.fits"]
    assert raw.with_name(f"{stem(raw)}.tra").is_file()


def test_progress_is_reported(observed, folder):
    raw = observed.single(folder, "WFC", CTE)
    told = []
    calacs.run(raw, progress=told.append)
    assert {text.partition(":")[0] for text in told} == {"acsccd", "acscte", "acs2d"}


def test_keys_of_products(observed, folder):
    made = calacs.run(observed.single(folder, "WFC", CTE))
    assert isinstance(made, Products)
    with pytest.raises(KeyError, match="'crj': 0 of the products"):
        made["crj"]


# ---- switches: the cells of the flow graph

NO_CCD = dict.fromkeys(("DQICORR", "ATODCORR", "BIASCORR", "BLEVCORR"), "OMIT")


def test_acsccd_alone(observed, folder):
    raw = observed.single(folder, "HRC", OMITTED)
    run(raw, temp_files=True)
    level, flat = (content(f"{stem(raw)}_{s}.fits", ("DATE", "FILENAME")) for s in ("blv_tmp", "flt"))
    assert level == flat
    assert fits.read_exposure(f"{stem(raw)}_flt.fits").primary["FILENAME"] == f"{stem(raw)}_flt.fits"


def test_acsccd_and_acscte_alone(observed, folder):
    raw = observed.single(folder, "WFC", OMITTED | CTE)
    assert run(raw, temp_files=True) == [f"{stem(raw)}_{s}.fits" for s in ("blv_tmp", "blc_tmp", "flt", "flc")]
    for suffix, product in (("blv_tmp", "flt"), ("blc_tmp", "flc")):
        level, flat = (content(f"{stem(raw)}_{s}.fits", ("DATE", "FILENAME")) for s in (suffix, product))
        assert level == flat


@pytest.mark.parametrize("detector", ["HRC", "SBC"])
def test_nothing_to_do(detector, observed, folder):
    off = NO_CCD | OMITTED | dict.fromkeys(("SINKCORR", "GLINCORR", "LFLGCORR"), "OMIT")
    raw = observed.single(folder, detector, off if detector == "HRC" else off | {"SINKCORR": None})
    with pytest.raises(NothingToDo, match="no calibration switch is PERFORM"):
        run(raw)
    with pytest.raises(NothingToDo):
        calacs.run(raw)
    assert products(folder) == []


def test_sink_pixels_alone_are_nothing_to_do(observed, folder):
    with pytest.raises(NothingToDo):
        run(observed.single(folder, "WFC", NO_CCD | OMITTED | {"SINKCORR": P, "PCTECORR": "OMIT"}))


@pytest.mark.parametrize("cte", [False, True])
def test_a_raw_file_whose_bias_level_is_subtracted(cte, observed, folder):
    """No switch of acsccd is PERFORM: the others start from the raw file."""
    detector, keywords = ("WFC", CTE) if cte else ("HRC", {})
    raw = observed.single(folder, detector, keywords)
    want = calacs.run(raw)
    level = acsccd.run(raw)
    level.write(raw, clobber=True)
    exposure = fits.read_exposure(raw)
    assert Flow.of(exposure) == Flow(False, cte, True, False, frozenset({"DARKCORR", "FLATCORR", "PHOTCORR"}))
    made = calacs.run(raw)
    assert list(made) == list(want)
    for name in made:
        assert same_exposure(made[name], want[name])


@pytest.mark.parametrize("keywords", [NO_CCD, {"BLEVCORR": "OMIT"}, NO_CCD | OMITTED | CTE], ids=str)
def test_untrimmed_exposures_are_refused(keywords, observed, folder):
    detector = "WFC" if "PCTECORR" in keywords else "HRC"
    raw = observed.single(folder, detector, keywords)
    with nothing_changes(folder), pytest.raises(CalacsError) as caught:
        calacs.run(raw)
    problems = getattr(caught.value, "problems", (caught.value,))
    assert any(isinstance(problem, StepNotDone) for problem in problems)


@pytest.mark.parametrize("switch", ["CRCORR", "RPTCORR"])
def test_switches_of_associations_do_nothing_to_single_exposures(switch, observed, folder):
    plain = calacs.run(observed.single(folder, "HRC"))["flt"]
    other = calacs.run(observed.single(folder / "b", "HRC", {switch: P}))["flt"]
    assert same_exposure(plain, other, ignore=(switch,))
    assert other.primary[switch] == P


def test_expscorr_is_completed(observed, folder):
    product = calacs.run(observed.single(folder, "HRC", {"EXPSCORR": P}))["flt"]
    assert product.primary["EXPSCORR"] == "COMPLETE"
    assert product.primary.history[-1] == "EXPSCORR complete ..."


def test_dummy_references_skip_their_step(observed, folder):
    name = observed.spoiled("HRC", "DARKFILE", "dummy_dark", PEDIGREE="DUMMY 01/01/2000")
    product = calacs.run(observed.single(folder, "HRC", {"DARKFILE": name}))["flt"]
    assert product.primary["DARKCORR"] == "SKIPPED"
    assert product.primary["FLATCORR"] == "COMPLETE"


def test_overrides(observed, folder):
    raw = observed.single(folder, "HRC")
    product = calacs.run(raw, flatcorr=False, darktime=100.0, readnsec=6.0)["flt"]
    assert product.primary["FLATCORR"] == "OMIT"
    assert product.primary["DARKTIME"] == 100.0
    assert product.primary["READNSEC"] == np.float32(6.0)
    with pytest.raises(TypeError, match="did you mean flatcorr"):
        calacs.run(raw, flatcor=False)
    with pytest.raises(ValueError, match="PERFORM"):
        calacs.run(raw, flatcorr="yes")


# ---- existing files


def test_existing_products_are_refused_before_any_work(observed, folder, monkeypatch):
    raw = observed.single(folder, "WFC", CTE)
    flc = folder / f"{stem(raw)}_flc.fits"
    flc.write_text("mine")
    with pytest.raises(OutputExists, match="flc") as caught:
        run(raw)
    assert caught.value.status == 1021
    assert products(folder) == [flc.name]
    assert flc.read_text() == "mine"
    monkeypatch.setenv("imclobber", "yes")
    assert len(run(raw)) == 2
    assert fits.read_exposure(flc).primary["PCTECORR"] == "COMPLETE"


def test_left_over_temporaries_block_only_when_wanted(observed, folder):
    raw = observed.single(folder, "WFC", CTE)
    left = [folder / f"{stem(raw)}_{s}.fits" for s in ("blv_tmp", "blc_tmp")]
    for path in left:
        path.write_text("mine")
    with pytest.raises(OutputExists, match="blv_tmp"):
        run(raw, temp_files=True)
    assert len(run(raw)) == 2
    assert [path.read_text() for path in left] == ["mine", "mine"]


def test_runs_again_after_a_failure(observed, folder, monkeypatch):
    raw = observed.single(folder, "HRC")
    with monkeypatch.context() as patch:
        patch.setattr(acs2d.STEPS[-1], "function", fail)
        with pytest.raises(InvalidValue):
            run(raw)
    assert run(raw) == [f"{stem(raw)}_flt.fits"]


# ---- failures


def fail(*_):
    raise InvalidValue("injected")


STEPS = [("acsccd", one) for one in acsccd.STEPS] + [("acscte", one) for one in acscte.STEPS["acscte"]]
STEPS += [("acs2d", one) for one in acs2d.STEPS]


@pytest.mark.parametrize(("task", "step"), STEPS, ids=[f"{task}-{step.name}" for task, step in STEPS])
def test_a_failing_step_leaves_nothing(task, step, observed, folder, monkeypatch):
    keywords = CTE | {"SINKCORR": P, "DQICORR": P}
    of_sbc = task == "acs2d" and step.name in ("DQICORR", "GLINCORR", "LFLGCORR")
    raw = observed.single(folder, "SBC") if of_sbc else observed.single(folder, "WFC", keywords)
    monkeypatch.setattr(step, "function", fail)
    before = digest(raw)
    try:
        run(raw)
    except InvalidValue as error:
        assert str(error) == f"{task} {step.name}: injected"  # noqa: PT017
        assert products(folder) == []
    else:
        assert step.switch is None or fits.read_headers(raw).primary.get(step.switch) != P or step.name == "DQICORR"
    assert digest(raw) == before


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), MemoryError(), KeyboardInterrupt()], ids=repr
)
def test_a_failure_while_writing_leaves_nothing(error, observed, folder, monkeypatch):
    raw = observed.single(folder, "HRC")
    from calacs.fits import writing

    def full(*_):
        raise error

    monkeypatch.setattr(writing, "_write_rows", full)
    with pytest.raises(WriteFailed if isinstance(error, OSError) else type(error)):
        run(raw)
    assert products(folder) == []


def test_all_problems_are_reported_together(observed, folder):
    names = {key: f"jref$no_{key.lower()}.fits" for key in ("BIASFILE", "DARKFILE", "PFLTFILE", "IMPHTTAB", "DRKCFILE")}
    raw = observed.single(folder, "WFC", CTE | names)
    with nothing_changes(folder), pytest.raises(PreflightFailed) as caught:
        calacs.run(raw)
    assert caught.value.status == 115
    assert {str(p).split()[0] for p in caught.value.problems} == set(names)
    with pytest.raises(PreflightFailed):
        run(raw)
    assert products(folder) == []
    found = calacs.plan(raw).problems.found
    assert {str(p).split()[0] for p in found} == set(names)


def test_without_ccdtab_the_other_files_are_still_looked_for(observed, folder):
    raw = observed.single(folder, "HRC", {"CCDTAB": "N/A", "DARKFILE": "jref$none.fits"})
    found = calacs.plan(raw).problems.found
    assert {str(p).split()[0].rstrip(":") for p in found} == {"CCDTAB", "DARKFILE"}
    assert all(isinstance(problem, ReferenceMissing) for problem in found)


def test_bad_input(observed, folder):
    with pytest.raises(FileNotReadable, match="no such file"):
        run("none_raw.fits")
    (folder / "bad_raw.fits").write_bytes(b"SIMPLE  =" * 100)
    with pytest.raises(FileNotReadable):
        run("bad_raw.fits")
    raw = observed.single(folder, "HRC")
    os.truncate(raw, raw.stat().st_size - 5000)
    with pytest.raises(FileNotReadable):
        run(raw)
    assert products(folder) == []


def test_warnings_are_given_once(observed, folder):
    raw = observed.single(folder, "HRC", {"BIASCORR": "OMIT"})
    with pytest.warns(CalacsWarning) as caught:
        calacs.run(raw)
    texts = [str(one.message) for one in caught]
    assert any("full-well" in text for text in texts)
    assert len(texts) == len(set(texts))


def test_products_of_compressed_exposures(observed, tmp_path):
    path = observed.single(tmp_path, "HRC")
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    [product] = calacs.calacs(packed, quiet=True)
    assert product == path.with_name(path.name.replace("_raw", "_flt"))
    assert list(calacs.run(packed)) == [product.name]
    [leveled] = acsccd.acsccd(packed, quiet=True)
    assert leveled == path.with_name(path.name.replace("_raw", "_blv_tmp"))
