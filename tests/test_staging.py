"""All products of a run or none; writing in the background; runs of many exposures."""

import errno
import gc
import os
import shutil
import signal
import threading
import time
import weakref
from pathlib import Path

import pytest

from calacs import acs2d, association_flow, calacs, fits, staging
from calacs.door import FileDoor
from calacs.errors import ExposuresFailed, InvalidValue, OutputExists, ReferenceMissing, WriteFailed
from calacs.staging import Staging, Writer
from helpers import digest
from pipeline import contents, presence, products, set_keywords

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")

CTE = {"PCTECORR": "PERFORM"}
THREADS = pytest.mark.parametrize("n_threads", [1, 2])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def exposure(hrc):
    return hrc(subarray=(100, 200, 40, 30))


def everything(folder):
    """Names and content of all files but the trailers, hidden ones included."""
    return {path.name: digest(path) for path in folder.rglob("*") if path.is_file() and path.suffix != ".tra"}


def run(path, n_threads=2, **options):
    return calacs.process(path, FileDoor("calacs", quiet=True, n_threads=n_threads), **options)


def stage(exposure, folder, names, n_threads=1, *, clobber=True, then=None):
    """Write an exposure under some names, and do something before they are given."""
    with Writer(n_threads) as writer, Staging(folder, writer, clobber=clobber) as staged:
        for name in names:
            staged.write(exposure, folder / name)
        if then is not None:
            staged.wait()
            then()


# ---- the hidden folder


@THREADS
def test_products_appear_together(n_threads, exposure, folder):
    targets = [folder / "a_flt.fits", folder / "b_flt.fits"]
    with Writer(n_threads) as writer, Staging(folder, writer) as staged:
        for target in targets:
            staged.write(exposure, target)
        staged.wait()
        assert not any(target.exists() for target in targets)
        assert all(staged.find(target).exists() for target in targets)
        assert staged.find(folder / "other.fits") == folder / "other.fits"
    assert sorted(path.name for path in folder.iterdir()) == ["a_flt.fits", "b_flt.fits"]


@THREADS
@pytest.mark.parametrize("error", [InvalidValue("x"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_failures_leave_nothing(n_threads, error, exposure, folder):
    (folder / "a_flt.fits").write_text("mine")

    def fail():
        raise error

    with pytest.raises(type(error)):
        stage(exposure, folder, ["a_flt.fits", "b_flt.fits"], n_threads, then=fail)
    assert [path.name for path in folder.iterdir()] == ["a_flt.fits"]
    assert (folder / "a_flt.fits").read_text() == "mine"


@THREADS
def test_a_full_disk(n_threads, exposure, folder, monkeypatch):
    """It is told at the next product, or at the end."""
    real, n = fits.writing._write_units, []

    def fill(one, file):
        n.append(one)
        if len(n) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(one, file)

    monkeypatch.setattr(fits.writing, "_write_units", fill)
    with pytest.raises(WriteFailed, match="b_flt.fits: cannot be written: No space left"):
        stage(exposure, folder, [f"{name}_flt.fits" for name in "abcd"], n_threads)
    assert 2 <= len(n) <= 3
    assert list(folder.iterdir()) == []


def refuse(monkeypatch, target, code=errno.EACCES, *, always=False):
    """Let no file get a name, or be put back under it."""
    real = staging.os.replace

    def replace(source, other):
        if other == target and (always or source.parent.name != "earlier"):
            raise OSError(code, "refused")
        real(source, other)

    monkeypatch.setattr(staging.os, "replace", replace)


@THREADS
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_name_that_cannot_be_given_puts_all_back(number, n_threads, exposure, folder, monkeypatch):
    """Two of three products replace earlier ones."""
    names = ["a_flt.fits", "b_flt.fits", "c_flt.fits"]
    for name in names[1:]:
        (folder / name).write_text(name)
    with pytest.raises(WriteFailed, match=f"{names[number]}.*refused; nothing was changed"):
        stage(exposure, folder, names, n_threads, then=lambda: refuse(monkeypatch, folder / names[number]))
    assert {path.name: path.read_text() for path in folder.iterdir()} == {name: name for name in names[1:]}


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent to threads")
@pytest.mark.parametrize("clobber", [False, True])
def test_ctrl_c_while_products_get_their_names(clobber, exposure, folder, monkeypatch):
    """All of them have theirs, and what the writer works on is not removed under its hands."""
    names = ["a_flt.fits", "b_flt.fits"]
    for name in names if clobber else []:
        (folder / name).write_text(name)
    real = staging.os.replace

    def replace(source, target):
        if target == folder / names[1]:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.3)
        real(source, target)

    monkeypatch.setattr(staging.os, "replace", replace)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            stage(exposure, folder, names, 2, clobber=clobber)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert sorted(path.name for path in folder.iterdir()) == names
    assert digest(folder / names[0]) == digest(folder / names[1])


@THREADS
def test_ctrl_c_while_the_hidden_folder_is_removed(n_threads, exposure, folder, monkeypatch):
    real, n = staging.shutil.rmtree, []

    def interrupt(path, **options):
        n.append(path)
        if len(n) == 1:
            raise KeyboardInterrupt
        real(path, **options)

    monkeypatch.setattr(staging.shutil, "rmtree", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stage(exposure, folder, ["a_flt.fits"], n_threads)
    assert [path.name for path in folder.iterdir()] == ["a_flt.fits"]


@THREADS
def test_the_current_folder_may_change(n_threads, exposure, folder, monkeypatch):
    for name in ("here", "elsewhere"):
        (folder / name).mkdir()
    monkeypatch.chdir(folder / "here")
    with Writer(n_threads) as writer, Staging(Path(), writer) as staged:
        staged.write(exposure, Path("a_flt.fits"))
        staged.wait()
        monkeypatch.chdir(folder / "elsewhere")
    assert [str(path.relative_to(folder)) for path in folder.glob("*/*")] == [os.path.join("here", "a_flt.fits")]


@pytest.mark.skipif(os.name == "nt", reason="links need privileges")
def test_a_link_to_nowhere_is_not_replaced(exposure, folder):
    target = folder / "a_flt.fits"
    target.symlink_to("archive/a_flt.fits")
    with pytest.raises(OutputExists, match=target.name):
        stage(exposure, folder, [target.name], clobber=False)
    with pytest.raises(OutputExists, match=target.name):
        exposure.write(target)
    assert target.is_symlink()
    stage(exposure, folder, [target.name])
    assert not target.is_symlink()


def test_what_cannot_be_put_back_is_kept(exposure, folder, monkeypatch):
    target = folder / "a_flt.fits"
    target.write_text("mine")
    with pytest.raises(WriteFailed, match="earlier products are in") as caught:
        stage(exposure, folder, [target.name], then=lambda: refuse(monkeypatch, target, always=True))
    (kept,) = folder.glob(".calacs-*/earlier/a_flt.fits")
    assert kept.read_text() == "mine"
    assert str(kept.parent) in str(caught.value)


def test_a_file_that_appears_meanwhile_is_not_replaced(exposure, folder):
    target = folder / "b_flt.fits"
    with pytest.raises(OutputExists, match=target.name):
        stage(exposure, folder, ["a_flt.fits", target.name], clobber=False, then=lambda: target.write_text("theirs"))
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(target.name, "theirs")]


def test_a_folder_is_not_replaced(exposure, folder):
    (folder / "a_flt.fits").mkdir()
    with pytest.raises(WriteFailed, match="folder"):
        stage(exposure, folder, ["a_flt.fits"])
    assert (folder / "a_flt.fits").is_dir()


def test_a_folder_that_does_not_exist(folder):
    with pytest.raises(WriteFailed, match="no products can be written"), Writer(1) as writer:
        Staging(folder / "none", writer)


# ---- writing in the background


def test_one_product_is_written_while_the_next_is_computed(exposure, folder, monkeypatch):
    """A third one waits."""
    real, go, begun = fits.writing._write_units, threading.Event(), threading.Event()

    def slow(one, file):
        begun.set()
        assert go.wait(10)
        real(one, file)

    monkeypatch.setattr(fits.writing, "_write_units", slow)
    with Writer(2) as writer, Staging(folder, writer) as staged:
        staged.write(exposure, folder / "a_flt.fits")
        assert begun.wait(10)  # and here the next one would be computed
        threading.Timer(0.2, go.set).start()
        started = time.perf_counter()
        staged.write(exposure, folder / "b_flt.fits")
        assert time.perf_counter() - started > 0.1
    assert len(list(folder.iterdir())) == 2


def test_one_thread_writes_in_the_calling_thread(exposure, folder, monkeypatch):
    seen = []
    real = fits.writing._write_units
    monkeypatch.setattr(
        fits.writing, "_write_units", lambda *arguments: (seen.append(threading.current_thread()), real(*arguments))
    )
    for n_threads in (1, 2):
        with Writer(n_threads) as writer, Staging(folder, writer) as staged:
            staged.write(exposure, folder / f"{n_threads}_flt.fits")
    assert seen[0] is threading.current_thread()
    assert seen[1] is not threading.current_thread()


@pytest.mark.parametrize(
    ("detector", "what", "held"), [("WFC", "CR-SPLIT", 2**30), ("HRC", "REPEAT-OBS", 0), ("SBC", "REPEAT-OBS", 2**30)]
)
def test_threads_do_not_change_files(detector, what, held, observed, folder, monkeypatch):
    monkeypatch.setattr(association_flow, "HELD_BYTES", held)
    keywords = CTE if detector == "WFC" else {}
    made = []
    for n_threads in (1, 2, 3):
        place = folder / f"{n_threads}"
        paths = [
            observed.association(place, what, detector, keywords=keywords),
            observed.single(place, detector, keywords),
        ]
        outcomes = calacs.process_all(paths, FileDoor("calacs", quiet=True, n_threads=n_threads), keep_temporaries=True)
        assert [outcome.error for outcome in outcomes] == [None, None]
        made.append(contents(place))
    assert made[0] == made[1] == made[2]
    assert made[0]


# ---- the pipeline


def fail_at(monkeypatch, step, number, error):
    """Let a step fail when it is called for the n-th time."""
    real, n = step.function, []

    def function(*arguments):
        n.append(arguments)
        if len(n) == number:
            raise error
        return real(*arguments)

    monkeypatch.setattr(step, "function", function)


ERRORS = pytest.mark.parametrize("error", [InvalidValue("injected"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])


@THREADS
@ERRORS
def test_an_association_that_fails_changes_nothing(n_threads, error, observed, folder, monkeypatch):
    """With products of an earlier run, that may be replaced."""
    monkeypatch.setenv("imclobber", "yes")
    table = observed.association(folder, "CR-SPLIT", "HRC")
    run(table)
    before = everything(folder)
    with monkeypatch.context() as patch:
        fail_at(patch, acs2d.STEPS[-1], 3, error)  # crj, flt, flt
        with pytest.raises(type(error)) as caught:
            run(table, n_threads)
    if isinstance(error, InvalidValue):
        assert str(caught.value) == "member jh001a01q: acs2d statistics: injected"
    assert everything(folder) == before
    run(table, n_threads)


@THREADS
@ERRORS
@pytest.mark.parametrize("clobber", [False, True])
def test_an_exposure_that_fails_changes_nothing(n_threads, error, clobber, observed, folder, monkeypatch):
    """The flt is complete when the calibration of the flc fails."""
    raw = observed.single(folder, "WFC", CTE)
    if clobber:
        monkeypatch.setenv("imclobber", "yes")
        run(raw)
    before = everything(folder)
    with monkeypatch.context() as patch:
        fail_at(patch, acs2d.STEPS[-1], 2, error)
        with pytest.raises(type(error)):
            run(raw, n_threads, keep_temporaries=True)
    assert everything(folder) == before
    assert [path.name for path in run(raw, n_threads)] == [f"{raw.name[:9]}_flt.fits", f"{raw.name[:9]}_flc.fits"]


@THREADS
@pytest.mark.parametrize(("detector", "what"), [("HRC", "CR-SPLIT"), ("SBC", "REPEAT-OBS"), ("HRC", "DITHER")])
def test_a_disk_that_is_full_at_the_end(n_threads, detector, what, observed, folder, monkeypatch):
    """Even the table is put back."""
    table = observed.association(folder, what, detector)
    before = everything(folder)
    with monkeypatch.context() as patch:
        refuse(patch, table, errno.ENOSPC)
        with pytest.raises(WriteFailed, match=f"{table.name}.*refused"):
            run(table, n_threads)
    assert everything(folder) == before
    run(table, n_threads)
    assert presence(table)[1] is True


def test_a_folder_that_a_killed_run_left_is_in_nobodys_way(observed, folder):
    raw = observed.single(folder, "HRC")
    left = folder / f"{staging.PREFIX}x" / f"{raw.name[:9]}_flt.fits"
    left.parent.mkdir()
    left.write_text("half")
    run(raw)
    assert left.read_text() == "half"
    shutil.rmtree(left.parent)
    assert products(folder) == [left.name]


# ---- runs of many exposures


@pytest.fixture
def many(observed, folder):
    """Three exposures, of which the second one fails, and an association."""
    raws = [observed.single(folder, "HRC", rootname=f"jhsim00{i}q") for i in range(3)]
    set_keywords(raws[1], DARKFILE="jref$none.fits")
    return [*raws, observed.association(folder, "CR-SPLIT", "HRC")]


FLT = [f"jhsim00{i}q_flt.fits" for i in range(3)]


@THREADS
def test_a_failure_does_not_stop_the_others(n_threads, many, folder):
    outcomes = list(calacs.process_all(many, FileDoor("calacs", quiet=True, n_threads=n_threads)))
    assert [outcome.path for outcome in outcomes] == many
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ReferenceMissing, type(None), type(None)]
    assert [path.name for outcome in outcomes[:3] for path in outcome.products] == [FLT[0], FLT[2]]
    assert len(outcomes[3].products) == 3
    assert all(path.exists() for outcome in outcomes for path in outcome.products)
    assert not list(folder.glob(".*"))
    texts = {path.stem: path.read_text() for path in folder.glob("jhsim*.tra")}
    assert set(texts) == {"jhsim000q", "jhsim002q"}
    for stem, text in texts.items():
        assert text.count("CALBEG*** CALACS") == 1
        assert text.rstrip().endswith(f"CALACS completion for {folder / stem}_raw.fits")
        assert "jhsim001q" not in text


@pytest.mark.parametrize("form", ["list", "commas", "wildcards", "@file"])
def test_lists_of_exposures(form, many, folder):
    (folder / "list.txt").write_text("\n".join(path.name for path in many[:3]))
    names = [path.name for path in many[:3]]
    given = {"list": names, "commas": ",".join(names), "wildcards": "jhsim*_raw.fits", "@file": "@list.txt"}
    with pytest.raises(ExposuresFailed, match="1 of 3 inputs failed") as caught:
        calacs.calacs(given[form], quiet=True)
    assert "jhsim001q_raw.fits: DARKFILE" in str(caught.value)
    assert [path.name for path in caught.value.failures] == [names[1]]
    assert [path.name for path in caught.value.products] == [FLT[0], FLT[2]]
    assert caught.value.status == ReferenceMissing.status
    (folder / FLT[0]).unlink()
    assert [path.name for path in calacs.calacs([names[0]], quiet=True)] == [FLT[0]]


@THREADS
def test_products_that_cannot_be_written_fail_their_own_exposure(n_threads, many, folder, monkeypatch):
    """Although that is known only when the next one is calibrated."""
    real = fits.writing._write_units

    def fill(one, file):
        if "jhsim000q" in file.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(one, file)

    monkeypatch.setattr(fits.writing, "_write_units", fill)
    outcomes = list(calacs.process_all(many, FileDoor("calacs", quiet=True, n_threads=n_threads)))
    assert [type(outcome.error) for outcome in outcomes] == [WriteFailed, ReferenceMissing, type(None), type(None)]
    assert not (folder / FLT[0]).exists()
    assert "CALACS processing NOT completed" in (folder / "jhsim000q.tra").read_text()


@THREADS
def test_ctrl_c_ends_a_run_of_many(n_threads, many, folder, monkeypatch):
    fail_at(monkeypatch, acs2d.STEPS[-1], 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        list(calacs.process_all(many, FileDoor("calacs", quiet=True, n_threads=n_threads)))
    assert set(products(folder)) <= {FLT[0]}


def test_failed_exposures_are_not_kept_in_memory(many, monkeypatch):
    seen = []

    def function(job, *_):
        seen.append(weakref.ref(job.exposure.imsets[0].sci))
        raise InvalidValue("injected")

    monkeypatch.setattr(acs2d.STEPS[-1], "function", function)
    outcomes = list(calacs.process_all(many[:1], FileDoor("calacs", quiet=True, n_threads=2)))
    gc.collect()
    assert isinstance(outcomes[0].error, InvalidValue)
    assert [one() for one in seen] == [None]
