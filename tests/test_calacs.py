"""The pipeline over associations: products, cards, tables, support files, trailers, failures."""

import gzip
import itertools
import shutil
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import acs2d, acsccd, acscte, acsrej, acssum, association_flow, calacs, fits
from calacs.association_flow import HELD_BYTES
from calacs.errors import (
    AssociationError,
    CalacsError,
    FileNotReadable,
    HeaderProblem,
    InvalidValue,
    NothingToDo,
    OutputExists,
    PreflightFailed,
    ReferenceMissing,
    RowNotFound,
    SizeMismatch,
    TableError,
)
from helpers import digest, nothing_changes, same_exposure
from pipeline import OMITTED, content, contents, presence, products, set_cells, set_keywords

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")

CTE = {"PCTECORR": "PERFORM"}
KINDS = {
    "cr_hrc": ("CR-SPLIT", "HRC", {}),
    "cr_hrc_2": ("CR-SPLIT", "HRC", {"n_position": 2}),
    "cr_wfc_cte": ("CR-SPLIT", "WFC", {"keywords": CTE}),
    "rpt_hrc": ("REPEAT-OBS", "HRC", {"n_exposure": 3}),
    "rpt_wfc_cte_2": ("REPEAT-OBS", "WFC", {"keywords": CTE, "n_position": 2}),
    "rpt_sbc": ("REPEAT-OBS", "SBC", {}),
    "rpt_sbc_2": ("REPEAT-OBS", "SBC", {"n_position": 2}),
    "dth_hrc": ("DITHER", "HRC", {"n_position": 3}),
    "dth_sbc": ("DITHER", "SBC", {"n_position": 2}),
}
ASN = "jh001a010_asn.fits"
BACKGROUND = {"cr_hrc", "rpt_sbc", "cr_wfc_cte"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(observed, folder, kind, **more):
    what, detector, options = KINDS[kind]
    return observed.association(folder, what, detector, **options | more)


def run(path, **options):
    return [product.name for product in calacs.calacs(path, quiet=True, **options)]


def members(kind):
    """Root names of exposures by position, and of products."""
    what, detector, options = KINDS[kind]
    n = 1 if what == "DITHER" else options.get("n_exposure", 2)
    stem = f"j{detector[0].lower()}001a"
    numbers = itertools.count()
    return [
        ([f"{stem}0{next(numbers)}q" for _ in range(n)], f"{stem}01{position + 1}")
        for position in range(options.get("n_position", 1))
    ]


def expected(kind):
    """Names of all products, support files included."""
    what, detector, options = KINDS[kind]
    cte = "keywords" in options
    names = []
    for exposures, product in members(kind):
        names += [f"{one}_{s}.fits" for one in exposures for s in ("flt", "flc")[: 1 + cte]]
        if what != "DITHER":
            names += [f"{product}_{s}.fits" for s in (["sfl"] if detector == "SBC" else ["crj", "crc"][: 1 + cte])]
            names.append(f"{product}_spt.fits")
    if what == "DITHER" or options.get("n_position", 1) > 1:
        names.append(f"j{detector[0].lower()}001a010_spt.fits")
    return sorted(names)


# ---- products


@pytest.mark.parametrize("kind", KINDS)
def test_products_of_both_doors(kind, observed, folder):
    table = make(observed, folder, kind)
    raws = {path: digest(path) for path in folder.glob("*_raw.fits")}
    with nothing_changes(folder):
        in_memory = calacs.run(table, n_threads=2)
    names = run(table)
    assert products(folder) == expected(kind)
    assert sorted(names) == [name for name in expected(kind) if "_spt" not in name]
    assert sorted(in_memory) == sorted(names)
    for name in names:
        assert same_exposure(in_memory[name], fits.read_exposure(name), ignore=())
    assert {path: digest(path) for path in raws} == raws
    rows, produced = presence(table)
    assert all(rows)
    assert produced is True


@pytest.mark.parametrize("kind", sorted(BACKGROUND))
def test_threads_do_not_change_bits(kind, observed, folder):
    table = make(observed, folder, kind)
    one = calacs.run(table, n_threads=1)
    for n_threads in (2, 7):
        other = calacs.run(table, n_threads=n_threads)
        assert all(same_exposure(one[name], other[name], ignore=()) for name in one)


@pytest.mark.parametrize("kind", ["cr_hrc_2", "cr_wfc_cte", "rpt_hrc"])
def test_the_tasks_one_by_one_write_the_same_files(kind, observed, folder):
    """Intermediate files too; the tasks take their parameters from the headers."""
    table = make(observed, folder / "pipeline", kind)
    run(table, temp_files=True)
    make(observed, folder / "tasks", kind)
    tasks = folder / "tasks"
    cte = "keywords" in KINDS[kind][2]
    for exposures, product in members(kind):
        for one in exposures:
            acsccd.acsccd(tasks / f"{one}_raw.fits", quiet=True)
        if cte:
            acscte.acscte([tasks / f"{one}_blv_tmp.fits" for one in exposures], quiet=True)
        for level, combined in (("blv", "crj"), ("blc", "crc"))[: 1 + cte]:
            inputs = [tasks / f"{one}_{level}_tmp.fits" for one in exposures]
            acsrej.acsrej(inputs, tasks / f"{product}_{combined}_tmp.fits")
            acs2d.acs2d(tasks / f"{product}_{combined}_tmp.fits", quiet=True)
            acs2d.acs2d(inputs, quiet=True)
    ours, theirs = products(folder / "pipeline"), products(tasks)
    assert {name for name in ours if name != "jh001a010_spt.fits"} == set(theirs)
    for name in theirs:
        combined = name.startswith(members(kind)[0][1][:8])
        ignore = ("DATE", "ASN_MTYP") if combined else ("DATE",)  # only the table tells the role of a product
        assert content(folder / "pipeline" / name, ignore) == content(tasks / name, ignore), name


def test_a_sum_is_that_of_acssum(observed, folder):
    table = make(observed, folder, "rpt_sbc")
    run(table)
    (exposures, product) = members("rpt_sbc")[0]
    wanted = acssum.combine([f"{one}_flt.fits" for one in exposures], output=f"{product}_sfl.fits", mtype="prod-rpt")
    assert same_exposure(wanted, fits.read_exposure(f"{product}_sfl.fits"), ignore=())


@pytest.mark.parametrize(("kind", "crmask"), [("cr_hrc_2", False), ("cr_wfc_cte", True), ("rpt_hrc", True)])
def test_exposures_that_wait_in_files_give_the_same(kind, crmask, observed, folder, monkeypatch):
    mask = observed.spoiled(KINDS[kind][1], "CRREJTAB", f"mask_{KINDS[kind][1]}_{crmask}")
    path = observed.jref / mask.removeprefix("jref$")
    set_cells(path, "CRMASK", dict.fromkeys(range(3), crmask))
    table = make(observed, folder / "memory", kind)
    shutil.copytree(folder / "memory", folder / "files")
    for raw in folder.rglob("*_raw.fits"):
        set_keywords(raw, CRREJTAB=mask)
    run(table, temp_files=True)
    seen = []
    put = association_flow.Shelf.put

    def watch(shelf, name, exposure):
        put(shelf, name, exposure)
        seen.append(shelf.in_memory)

    monkeypatch.setattr(association_flow.Shelf, "put", watch)
    monkeypatch.setattr(association_flow, "HELD_BYTES", 0)
    run(folder / "files" / table.name, temp_files=True)
    assert seen
    assert not any(seen)
    assert contents(folder / "memory") == contents(folder / "files")
    assert not list((folder / "files").glob(".*"))
    name = f"{members(kind)[0][0][0]}_blv_tmp.fits"
    flags = fits.read_exposure(folder / "files" / name).imsets[0].dq & 8192
    assert bool(flags.any()) is crmask
    monkeypatch.undo()
    monkeypatch.setattr(association_flow, "HELD_BYTES", 0)
    in_memory = calacs.run(folder / "memory" / table.name)
    for product, exposure in in_memory.items():
        assert same_exposure(exposure, fits.read_exposure(folder / "memory" / product), ignore=())


def test_records_survive_in_files(observed, folder, monkeypatch):
    table = make(observed, folder, "cr_hrc")
    records = {name: [r.name for r in one.records] for name, one in calacs.run(table).items()}
    monkeypatch.setattr(association_flow, "HELD_BYTES", 0)
    assert records == {name: [r.name for r in one.records] for name, one in calacs.run(table).items()}
    assert all("DQICORR" in names for name, names in records.items() if "_flt" in name)


def test_memory_does_not_grow_with_the_association(observed, folder, monkeypatch):
    """Members of one position wait in files, and one position follows the other."""
    monkeypatch.setattr(association_flow, "HELD_BYTES", 0)
    monkeypatch.setattr("calacs.combining.KEEP_BYTES", 0)
    monkeypatch.setattr("calacs.steps.crrej._BLOCK_BYTES", 2**20)
    peaks = []
    for n in (2, 5):
        table = observed.association(
            folder / f"{n}", "REPEAT-OBS", "HRC", n_exposure=n, subarray=(0, 0, 600, 600), keywords=OMITTED
        )
        tracemalloc.start()
        run(table)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one = 600 * 600 * 10
    assert peaks[1] - peaks[0] < 1.5 * one  # there are three more
    assert HELD_BYTES >= 2**29


# ---- cards and other files


def test_cards_of_products(observed, folder):
    run(make(observed, folder, "cr_wfc_cte"))
    (exposures, product) = members("cr_wfc_cte")[0]
    primary = {name: fits.read_exposure(name).primary for name in products(folder) if "_spt" not in name}
    crj, crc = primary[f"{product}_crj.fits"], primary[f"{product}_crc.fits"]
    flt, flc = primary[f"{exposures[0]}_flt.fits"], primary[f"{exposures[0]}_flc.fits"]
    assert [one["PCTECORR"] for one in (flt, crj, flc, crc)] == ["PERFORM", "PERFORM", "COMPLETE", "COMPLETE"]
    assert [one["CRCORR"] for one in (flt, flc, crj, crc)] == ["PERFORM", "PERFORM", "COMPLETE", "COMPLETE"]
    assert [one["ASN_MTYP"] for one in (flt, crj, crc)] == ["EXP-CRJ", "PROD-CRJ", "PROD-CRJ"]
    assert [one["ROOTNAME"] for one in (crj, crc)] == [product.upper(), f"{product.upper()}_CRC_TMP"]
    assert [one["FILENAME"] for one in (crj, crc)] == [f"{product}_crj.fits", f"{product}_crc.fits"]
    assert crj["EXPTIME"] == 100.0


def test_support_files(observed, folder):
    run(make(observed, folder, "cr_hrc_2"))
    with astropy_fits.open("jh001a011_spt.fits") as hdus:
        header = hdus[0].header
        assert [header[key] for key in ("FILENAME", "ASN_MTYP", "NEXTEND")] == ["jh001a011_spt.fits", "prod-cr1", 2]
        assert len(hdus) == 3
    with astropy_fits.open("jh001a010_spt.fits") as hdus:
        assert (hdus[0].header["ASN_MTYP"], hdus[0].header["NEXTEND"], len(hdus)) == ("PROD-DTH", 2, 5)


@pytest.mark.parametrize(("missing", "made"), [((), True), ((1,), True), ((0,), False), ((0, 1), False)])
def test_missing_support_files(missing, made, observed, folder):
    table = make(observed, folder, "cr_hrc")
    for number in missing:
        (folder / f"jh001a0{number}q_spt.fits").unlink()
    run(table)
    assert (folder / "jh001a011_spt.fits").exists() is made
    assert presence(table) == ([True] * 3, True)


def test_trailers(observed, folder):
    run(make(observed, folder, "cr_hrc_2"))
    text = {path.stem: path.read_text() for path in folder.glob("*.tra")}
    assert set(text) == {"jh001a010", "jh001a011", "jh001a012", *(f"jh001a0{i}q" for i in range(4))}
    tasks = ["CALACS", "ACSCCD", "ACS2D", "ACSREJ", "ACSDTH"]

    def begins(name):
        return [sum(f"CALBEG*** {task} " in line for line in text[name].splitlines()) for task in tasks]

    assert begins("jh001a01q") == [0, 1, 1, 0, 0]
    assert begins("jh001a011") == [1, 2, 1, 1, 0]
    assert begins("jh001a010") == [1, 4, 2, 2, 1]
    assert "CALACS completion for" in text["jh001a010"]


# ---- absent members


def test_an_absent_member_of_three(observed, folder):
    table = make(observed, folder, "rpt_hrc")
    set_cells(table, "MEMPRSNT", {1: False})
    (folder / "jh001a01q_raw.fits").unlink()
    names = run(table)
    assert names == ["jh001a011_crj.fits", "jh001a00q_flt.fits", "jh001a02q_flt.fits"]
    assert presence(table) == ([True, False, True, True], True)
    assert fits.read_exposure(names[0]).primary["EXPTIME"] == 80.0


def test_a_later_position_of_one_exposure(observed, folder):
    table = make(observed, folder, "cr_hrc_2")
    set_cells(table, "MEMPRSNT", {4: False})
    with pytest.warns(match="position 2: one exposure only: nothing is combined"):
        names = run(table)
    assert sorted(names) == [f"jh001a0{x}.fits" for x in ("0q_flt", "11_crj", "1q_flt", "2q_flt")]
    rows, _ = presence(table)
    assert rows == [True, True, True, True, False, False, True]
    with astropy_fits.open("jh001a010_spt.fits") as hdus:
        assert hdus[0].header["NEXTEND"] == 2  # the product that was not made counts


def test_a_whole_position_is_absent(observed, folder):
    table = make(observed, folder, "cr_hrc_2")
    set_cells(table, "MEMPRSNT", {0: False, 1: False})
    assert sorted(run(table)) == ["jh001a012_crj.fits", "jh001a02q_flt.fits", "jh001a03q_flt.fits"]
    assert presence(table)[0] == [False, False, False, True, True, True, True]


def test_without_a_row_the_product_is_called_by_its_suffix(observed, folder):
    table = make(observed, folder, "cr_hrc", spt=False)
    set_cells(table, "MEMTYPE", {2: "PROD-CR9"})
    assert "_crj.fits" in run(table)
    assert presence(table) == ([True, True, False], True)
    names = {path.name for path in folder.glob("*.tra")}
    assert names == {"_crj.tra", "jh001a010.tra", "jh001a00q.tra", "jh001a01q.tra"}
    assert "ACSREJ" in (folder / "_crj.tra").read_text()


def test_two_products_of_one_name_are_refused(observed, folder):
    table = make(observed, folder, "cr_hrc_2")
    set_cells(table, "MEMTYPE", {2: "PROD-CR8", 5: "PROD-CR9"})
    with pytest.raises(AssociationError, match="_crj.fits would be the product of positions 1 and 2"):
        run(table)
    assert products(folder) == []


# ---- consistency of table and headers


def change(folder, numbers, **values):
    for number in numbers:
        (path,) = folder.glob(f"*a0{number}q_raw.fits")
        set_keywords(path, **values)


@pytest.mark.parametrize(
    ("kind", "absent", "values", "error"),
    [
        ("cr_hrc", [], {"CRCORR": "OMIT"}, None),
        ("cr_hrc", [], {"CRCORR": "COMPLETE"}, None),
        ("cr_hrc", [1], {}, AssociationError),
        ("cr_hrc", [1], {"CRCORR": "OMIT"}, None),
        ("cr_hrc", [], {"CRCORR": "OMIT", "RPTCORR": "PERFORM"}, AssociationError),
        ("cr_hrc", [], {"RPTCORR": "PERFORM"}, HeaderProblem),
        ("cr_hrc", [], {"CRCORR": "MAYBE"}, HeaderProblem),
        ("rpt_hrc", [], {"CRCORR": "PERFORM", "RPTCORR": "OMIT"}, AssociationError),
        ("rpt_hrc", [], {"RPTCORR": "OMIT"}, None),
        ("rpt_hrc", [1, 2], {}, AssociationError),
        ("rpt_sbc", [], {"RPTCORR": "OMIT"}, None),
        ("rpt_sbc", [], {"CRCORR": "PERFORM"}, HeaderProblem),
        ("dth_hrc", [], {"CRCORR": "PERFORM"}, None),
    ],
)
def test_table_and_headers(kind, absent, values, error, observed, folder):
    table = make(observed, folder, kind)
    set_cells(table, "MEMPRSNT", dict.fromkeys(absent, False))
    n = sum(len(exposures) for exposures, _ in members(kind))
    change(folder, range(n), **values)
    if error is None:
        made = run(table)
        combined = kind != "dth_hrc" and not absent
        assert any(name.endswith(("_crj.fits", "_sfl.fits")) for name in made) is combined
        return
    before = digest(table)
    with pytest.raises(CalacsError) as caught:
        run(table)
    assert isinstance(getattr(caught.value, "problems", [caught.value])[0], error)
    assert caught.value.status == {AssociationError: 2, HeaderProblem: 119}[error]
    assert products(folder) == []
    assert digest(table) == before


def test_cosmic_ray_sets_of_the_sbc_are_not_combined(observed, folder):
    table = make(observed, folder, "rpt_sbc")
    set_cells(table, "MEMTYPE", {0: "EXP-CRJ", 1: "EXP-CRJ", 2: "PROD-CRJ"})
    change(folder, range(2), RPTCORR="OMIT")
    with pytest.warns(match="cosmic-ray split exposures of the SBC: nothing is combined"):
        assert run(table) == ["js001a00q_flt.fits", "js001a01q_flt.fits"]
    assert presence(table) == ([True, True, False], False)


# ---- mixed members: the first exposure of a position counts


def steps(exposure, task="acs2d"):
    return {record.name: record for record in exposure.records if record.task == task}


def test_switches_of_the_first_exposure_count(observed, folder):
    table = make(observed, folder, "cr_hrc")
    change(folder, [1], FLATCORR="OMIT", BIASCORR="OMIT", EXPSCORR="PERFORM")
    made = calacs.run(table)
    second = made["jh001a01q_flt.fits"]
    assert second.primary["FLATCORR"] == "COMPLETE"
    assert second.primary["BIASCORR"] == "OMIT"  # acsccd looks at each exposure
    assert second.primary["EXPSCORR"] == "PERFORM"
    change(folder, [1], FLATCORR="PERFORM")
    change(folder, [0], FLATCORR="OMIT", EXPSCORR="PERFORM")
    made = calacs.run(table)
    assert made["jh001a01q_flt.fits"].primary["FLATCORR"] == "PERFORM"
    assert steps(made["jh001a01q_flt.fits"])["FLATCORR"].status == "omitted"
    assert [made[f"jh001a0{i}q_flt.fits"].primary["EXPSCORR"] for i in range(2)] == ["COMPLETE"] * 2


def test_a_step_that_is_complete_is_not_done_again(observed, folder):
    table = make(observed, folder, "cr_hrc")
    change(folder, [1], DARKCORR="COMPLETE")
    made = calacs.run(table)
    assert steps(made["jh001a01q_flt.fits"])["DARKCORR"].status == "omitted"
    assert steps(made["jh001a00q_flt.fits"])["DARKCORR"].status == "complete"


def test_names_of_the_first_exposure_count(observed, folder):
    table = make(observed, folder, "cr_hrc_2")
    dark, satu = (observed.spoiled("HRC", key, f"other_{key}", DESCRIP="other") for key in ("DARKFILE", "SATUFILE"))
    change(folder, [1, 2], DARKFILE=dark, SATUFILE=satu, OSCNTAB="jref$none.fits")
    change(folder, [2], OSCNTAB=observed.references("HRC").header_values()["OSCNTAB"])
    made = calacs.run(table)
    darks = [steps(made[f"jh001a0{i}q_flt.fits"])["DARKCORR"].references["DARKFILE"].split()[0] for i in range(4)]
    simulated = observed.references("HRC").header_values()["DARKFILE"]
    assert darks == [simulated, simulated, dark, dark]
    plans, _ = calacs.plan_association(table)
    wells = [plan.jobs[0].refs["SATUFILE"].name for plan in plans]
    first = observed.references("HRC").header_values()["SATUFILE"]
    assert wells == [first, satu, satu, first]


def test_the_sbc_follows_the_first_exposure_of_the_association(observed, folder):
    table = make(observed, folder, "rpt_sbc_2")
    change(folder, [2, 3], FLATCORR="OMIT", DARKFILE="jref$none.fits")
    made = calacs.run(table)
    assert {made[f"js001a0{i}q_flt.fits"].primary["FLATCORR"] for i in range(4)} == {"COMPLETE"}


def test_an_exposure_without_cte_correction_is_refused(observed, folder):
    table = make(observed, folder, "cr_wfc_cte")
    change(folder, [1], PCTECORR="OMIT")
    with pytest.raises(NothingToDo, match="member jw001a01q: .*PCTECORR is not PERFORM"):
        run(table)
    change(folder, [0], PCTECORR="OMIT")
    change(folder, [1], PCTECORR="PERFORM")
    assert not [name for name in run(table) if "flc" in name]


def test_combining_is_something_to_do(observed, folder):
    """Exposures that are calibrated already can be combined anew."""
    table = make(observed, folder, "cr_hrc", keywords=OMITTED)
    want = calacs.run(table)["crj"]
    for number in range(2):
        path = folder / f"jh001a0{number}q_raw.fits"
        acsccd.run(path).write(path, clobber=True)
    assert same_exposure(calacs.run(table)["crj"], want)


def test_copies_of_the_sbc_are_byte_for_byte(observed, folder):
    off = dict.fromkeys(("DQICORR", "GLINCORR", "LFLGCORR", *OMITTED), "OMIT")
    table = make(observed, folder, "rpt_sbc", keywords=off)
    names = run(table)
    assert names == ["js001a00q_flt.fits", "js001a01q_flt.fits", "js001a011_sfl.fits"]
    flt, raw = (content(f"js001a00q_{s}.fits", ("FILENAME",)) for s in ("flt", "raw"))
    assert flt == raw


# ---- existing files, re-runs


@pytest.mark.parametrize(
    "name", ["jh001a011_crj.fits", "jh001a01q_flt.fits", "jh001a011_spt.fits", "jh001a010_spt.fits"]
)
def test_existing_products_are_refused_before_any_work(name, observed, folder, monkeypatch):
    table = make(observed, folder, "cr_hrc_2")
    (folder / name).write_text("mine")
    before = digest(table)
    with pytest.raises(OutputExists, match=name):
        run(table)
    assert products(folder) == [name]
    assert digest(table) == before
    monkeypatch.setenv("imclobber", "yes")
    run(table)
    assert products(folder) == expected("cr_hrc_2")
    first = contents(folder)
    assert run(table)
    assert contents(folder) == first


def test_left_over_temporaries_block_only_when_wanted(observed, folder):
    table = make(observed, folder, "cr_wfc_cte")
    left = [
        folder / f"{name}_tmp.fits" for name in ("jw001a00q_blv", "jw001a01q_blc", "jw001a011_crj", "jw001a011_crc")
    ]
    for path in left:
        path.write_text("mine")
    with pytest.raises(OutputExists, match="_tmp"):
        run(table, temp_files=True)
    run(table)
    assert {path.read_text() for path in left} == {"mine"}
    assert set(products(folder)) == {*expected("cr_wfc_cte"), *(path.name for path in left)}


# ---- failures


def fail(*_):
    raise InvalidValue("injected")


@pytest.mark.parametrize(("number", "in_files"), [*((i, False) for i in range(6)), (1, True), (3, True)])
def test_a_failure_at_any_image_leaves_nothing_half_done(number, in_files, observed, folder, monkeypatch):
    """The last step fails for each product in turn: two crj, four flt."""
    table = make(observed, folder, "cr_hrc_2")
    inputs = {path: digest(path) for path in folder.glob("*.fits")}
    if in_files:
        monkeypatch.setattr(association_flow, "HELD_BYTES", 0)
    step = acs2d.STEPS[-1]
    real, calls = step.function, itertools.count()

    def function(*arguments):
        return fail() if next(calls) == number else real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(step, "function", function)
        with pytest.raises(InvalidValue) as caught:
            run(table)
    where = ["product jh001a011_crj.fits", "member jh001a00q", "member jh001a01q"]
    where += ["product jh001a012_crj.fits", "member jh001a02q", "member jh001a03q"]
    assert str(caught.value) == f"{where[number]}: acs2d statistics: injected"
    done = expected("cr_hrc_2")
    assert set(products(folder)) < set(done)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert {path: digest(path) for path in inputs} == inputs
    for name in products(folder):
        if "_spt" not in name:
            fits.read_exposure(name)
    monkeypatch.setenv("imclobber", "yes")
    run(table)
    assert products(folder) == done


@pytest.mark.parametrize(
    ("kind", "task", "where"),
    [
        ("cr_hrc", "acsrej", "product jh001a011_crj.fits"),
        ("rpt_sbc", "acssum", "product js001a011_sfl.fits"),
        ("cr_hrc", "acsccd", "member jh001a00q"),
    ],
)
def test_errors_name_the_place(kind, task, where, observed, folder, monkeypatch):
    table = make(observed, folder, kind)
    before = digest(table)
    if task == "acsccd":
        monkeypatch.setattr(acsccd.STEPS[1], "function", fail)
    else:
        monkeypatch.setattr({"acsrej": acsrej, "acssum": acssum}[task], "execute", lambda *_, **__: fail())
    with pytest.raises(InvalidValue) as caught:
        run(table)
    assert str(caught.value).startswith(where)
    assert digest(table) == before


def test_a_table_that_cannot_be_replaced(observed, folder, monkeypatch):
    table = make(observed, folder, "cr_hrc")
    before = digest(table)
    monkeypatch.setattr(association_flow.association, "mark_present", lambda *_, **__: fail())
    with pytest.raises(InvalidValue):
        run(table)
    assert digest(table) == before


# ---- everything is checked beforehand


def test_problems_of_all_members_are_reported_together(observed, folder):
    table = make(observed, folder, "cr_hrc_2")
    change(folder, [0], DARKFILE="jref$no_dark.fits")
    change(folder, [2], PFLTFILE="jref$no_flat.fits")
    change(folder, [3], SATUFILE="N/A")
    (folder / "jh001a01q_raw.fits").rename(folder / "x.tra")
    with pytest.raises(PreflightFailed) as caught:
        run(table)
    texts = [str(problem) for problem in caught.value.problems]
    assert [text.split(":")[0] for text in texts] == [f"member jh001a0{i}q" for i in (0, 1, 2, 3)]
    for text, word in zip(texts, ("no_dark", "no such file", "no_flat", "SATUFILE"), strict=True):
        assert word in text
    assert products(folder) == ["jh001a01q_spt.fits"]
    assert [path.name for path in folder.glob("*.tra")] == ["x.tra"]


def test_a_missing_member_is_named(observed, folder):
    table = make(observed, folder, "cr_hrc")
    (folder / "jh001a01q_raw.fits").unlink()
    with pytest.raises(FileNotReadable, match="member jh001a01q: .*set MEMPRSNT to F"):
        run(table)


def test_members_may_lie_in_the_current_folder(observed, folder):
    table = make(observed, folder, "cr_hrc")
    elsewhere = folder / "tables" / table.name
    elsewhere.parent.mkdir()
    table.rename(elsewhere)
    run(elsewhere)
    made = {path.name for path in elsewhere.parent.glob("*11_*")}
    assert made == {"jh001a011_crj.fits", "jh001a011_spt.fits"}


@pytest.mark.parametrize("kind", ["cr_hrc", "rpt_sbc"])
def test_compressed_inputs(kind, observed, folder):
    """Exposures and table; the table stays compressed."""
    table = make(observed, folder / "plain", kind)
    run(table)
    make(observed, folder / "packed", kind)
    raws = sorted((folder / "packed").glob("*_raw.fits"))
    for path in (*raws, folder / "packed" / table.name):
        with gzip.open(f"{path}.gz", "wb") as file:
            file.write(path.read_bytes())
        path.unlink()
    packed = folder / "packed" / f"{table.name}.gz"
    run(packed)
    assert packed.read_bytes()[:2] == b"\x1f\x8b"
    assert presence(packed) == presence(table)
    made = {path.name: content(path) for path in (folder / "packed").glob("*_???.fits") if "_asn" not in path.name}
    assert made == {name: content(folder / "plain" / name) for name in made}
    assert set(products(folder / "plain")) <= set(made)
    if kind == "cr_hrc":
        acsccd.acsccd(packed, quiet=True)
        assert len(list((folder / "packed").glob("*_blv_tmp.fits"))) == len(raws)


def other_chip(observed, folder):
    """The second exposure is one of the other chip."""
    keywords = KINDS["cr_wfc_cte"][2]["keywords"]
    options = {"amps": "C", "subarray": (1000, 500, 200, 100), "seed": 5, "rootname": "jw001a01q"}
    observed.single(folder / "o", "WFC", keywords, **options).replace(folder / "jw001a01q_raw.fits")
    (folder / "o").rmdir()


def other_size(observed, folder):
    other = observed.single(folder / "o", "HRC", subarray=(100, 200, 100, 100), seed=5, rootname="jh001a01q")
    other.replace(folder / "jh001a01q_raw.fits")
    (folder / "o").rmdir()


def no_table(observed, folder):
    change(folder, range(2), CRREJTAB="jref$none.fits")


def no_row(observed, folder):
    name = observed.spoiled("HRC", "CRREJTAB", "no_row")
    set_cells(observed.jref / "no_row.fits", "CRSPLIT", dict.fromkeys(range(3), 7))
    change(folder, range(2), CRREJTAB=name)


def no_rows(observed, folder):
    name = observed.spoiled("HRC", "CRREJTAB", "no_rows")
    keep_rows(observed.jref / "no_rows.fits", 0)
    change(folder, range(2), CRREJTAB=name)


def keep_rows(path, n):
    with astropy_fits.open(path) as hdus:
        hdus[1].data = hdus[1].data[:n]
        hdus.writeto(path, overwrite=True)


@pytest.mark.parametrize(
    ("kind", "spoil", "error", "text"),
    [
        (
            "cr_hrc",
            lambda _, folder: set_cells(folder / ASN, "MEMPRSNT", {1: False}),
            AssociationError,
            "only jh001a00q",
        ),
        ("cr_hrc", other_size, SizeMismatch, "jh001a01q.*100 columns"),
        ("cr_wfc_cte", other_chip, CalacsError, "jw001a01q.*chip"),
        ("cr_hrc", no_table, ReferenceMissing, "CRREJTAB .*none.fits not found"),
        ("cr_hrc", no_row, RowNotFound, "no_row.fits"),
        ("cr_hrc", no_rows, TableError, "no_rows.fits"),
        ("cr_hrc", lambda _, folder: (folder / "jh001a011_crj.fits").touch(), OutputExists, "_crj.fits exists already"),
        ("cr_hrc", lambda _, folder: (folder / "jh001a01q_raw.fits").unlink(), FileNotReadable, "member jh001a01q"),
        ("cr_hrc", lambda _, folder: keep_rows(folder / ASN, 0), TableError, "has no rows"),
        (
            "cr_hrc",
            lambda _, folder: set_cells(folder / ASN, "MEMNAME", {1: "JH001A00Q"}),
            AssociationError,
            "jh001a00q is listed twice, in rows 1 and 2",
        ),
        ("cr_hrc", lambda _, folder: (folder / ASN).unlink(), FileNotReadable, f"{ASN}: no such file"),
    ],
    ids="one-image sizes chips no-table no-row no-rows existing missing empty-asn twice no-asn".split(),
)
def test_bad_input_is_refused_before_any_work(kind, spoil, error, text, observed, folder):
    table = make(observed, folder, kind)
    spoil(observed, folder)
    before = {path.name: digest(path) for path in folder.iterdir()}
    with pytest.raises(error, match=f"(?s){text}"):
        run(table)
    assert {path.name: digest(path) for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("kind", "values", "error", "text"),
    [
        ("cr_hrc", {"CRREJTAB": "N/A"}, ReferenceMissing, "product jh001a011: CRREJTAB"),
        ("rpt_hrc", {"CRREJTAB": "jref$none.fits"}, ReferenceMissing, "product jh001a011: CRREJTAB"),
        ("cr_wfc_cte", {"DRKCFILE": "jref$none.fits"}, ReferenceMissing, "member jw001a00q: DRKCFILE"),
    ],
)
def test_the_combination_is_checked_beforehand(kind, values, error, text, observed, folder):
    table = make(observed, folder, kind, keywords=KINDS[kind][2].get("keywords", {}) | values)
    with pytest.raises(error, match=text):
        run(table)
    assert products(folder) == []


@pytest.mark.parametrize("kind", ["cr_hrc", "rpt_sbc"])
def test_members_of_different_size_are_refused_beforehand(kind, observed, folder):
    table = make(observed, folder, kind)
    if kind == "cr_hrc":
        other = observed.single(folder / "o", "HRC", subarray=(100, 200, 100, 100), seed=5, rootname="jh001a01q")
        other.replace(folder / "jh001a01q_raw.fits")
        (folder / "o").rmdir()
    else:
        with astropy_fits.open(folder / "js001a01q_raw.fits", mode="update") as hdus:
            hdus[1].data = np.ascontiguousarray(hdus[1].data[:500])
            for hdu in hdus[2:4]:
                hdu.header["NPIX2"] = 500
    with pytest.raises(CalacsError) as caught:
        run(table)
    assert isinstance(caught.value, (SizeMismatch, PreflightFailed))
    assert products(folder) == []


def test_other_objects_are_no_association(observed, folder):
    table = make(observed, folder, "cr_hrc")
    with pytest.raises(ValueError, match="plan_association"):
        calacs.plan(table)
    plans, problems = calacs.plan_association(table, flatcorr=False)
    assert [plan.exposure.name for plan in plans] == ["jh001a00q_raw.fits", "jh001a01q_raw.fits"]
    assert problems.found == []
    with pytest.raises(FileNotReadable):
        calacs.run(folder / "none_asn.fits")
