"""The command line: what it prints, what it makes, and its exit statuses."""

import subprocess
import sys

import pytest

from calacs import __version__, calacs, cli, demo, fits
from calacs.cli import main
from helpers import digest, nothing_changes
from pipeline import products, set_cells, set_keywords

RAW = "jhsim001q_raw.fits"
FLT = "jhsim001q_flt.fits"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def raw(observed, folder):
    """A raw exposure in the current folder, that gives no warnings."""
    return observed.single(folder, "HRC", subarray=None)


# ---- run


def test_run(raw, folder, capsys):
    assert main(["run", RAW, "-j", "2"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{RAW} -> {FLT}\n"
    assert shown.err == ""
    assert products(folder) == [FLT]


def test_run_with_all_options(raw, folder, capsys):
    assert main(["run", RAW, "--save-temporaries", "--set", "flatcorr=OMIT", "--set", "readnsec=6.5", "-v"]) == 0
    assert products(folder) == ["jhsim001q_blv_tmp.fits", FLT]
    product = fits.read_exposure(FLT)
    assert (product.primary["FLATCORR"], product.primary["READNSEC"]) == ("OMIT", 6.5)
    assert "BLEVCORR PERFORM" in capsys.readouterr().out


def test_run_goes_on_after_a_failure(raw, observed, folder, capsys):
    observed.single(folder, "HRC", {"DARKFILE": "jref$none.fits"}, rootname="jhsim000q")
    (folder / "jh_raw.fits").write_text("no FITS")
    assert main(["run", "*_raw.fits"]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{RAW} -> {FLT}\n"
    assert "calacs: error: " in shown.err
    assert "DARKFILE" in shown.err
    assert "calacs: 2 of 3 exposures failed" in shown.err
    assert products(folder) == [FLT]


def test_existing_products_and_clobber(raw, folder, capsys):
    (folder / FLT).write_text("mine")
    assert main(["run", RAW]) == 1
    assert "exists already" in capsys.readouterr().err
    assert (folder / FLT).read_text() == "mine"
    assert main(["run", RAW, "--clobber"]) == 0
    assert fits.read_exposure(FLT).primary["FILENAME"] == FLT


def test_run_an_association(observed, folder, capsys):
    table = observed.association(folder, "CR-SPLIT", "HRC", spt=False)
    assert main(["run", table.name]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{table.name} -> jh001a011_crj.fits, jh001a00q_flt.fits, jh001a01q_flt.fits\n"
    assert shown.err.splitlines()
    assert all(line.startswith("calacs: warning: ") for line in shown.err.splitlines())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["none_raw.fits"], "no such file"),
        (["none*_raw.fits"], "no file matches"),
        (["@none"], "cannot be read"),
        ([RAW, "--set", "flatcor=OMIT"], "did you mean flatcorr"),
        ([RAW, "--set", "flatcorr=maybe"], "must be 'PERFORM'"),
        ([RAW, "--set", "darkfile=none.fits"], "DARKFILE"),
        ([RAW, "--set", "dqicorr=OMIT", "--set", "blevcorr=OMIT"], "BLEVCORR"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check", "info"])
def test_failures_have_a_status(command, words, text, raw, folder, capsys):
    before = digest(raw)
    status = main([command, *words])
    shown = capsys.readouterr()
    if command == "info" and "DARKFILE" in text + shown.out and status == 0:
        return
    assert status == 1
    assert text in shown.out + shown.err
    assert products(folder) == []
    assert digest(raw) == before


def test_a_malformed_assignment(raw):
    with pytest.raises(SystemExit) as caught:
        main(["run", RAW, "--set", "flatcorr"])
    assert "NAME=VALUE" in str(caught.value)


@pytest.mark.parametrize(
    "words", [["run"], ["check"], ["nonsense"], ["run", RAW, "--nonsense"], ["run", RAW, "-j", "x"]]
)
def test_wrong_usage(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_without_command(capsys):
    assert main([]) == 1
    assert "run" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"calacs {__version__} ")


def test_interruption(raw, folder, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(calacs, "process_all", interrupt)
    assert main(["run", RAW]) == 130
    assert "interrupted" in capsys.readouterr().err


# ---- check and info


def test_check(raw, folder, capsys):
    with nothing_changes(folder):
        assert main(["check", RAW]) == 0
    shown = capsys.readouterr().out
    assert "HRC full frame" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line and line[0].isupper()}
    assert set(lines) >= {"CCDTAB", "OSCNTAB", "BIASFILE", "SATUFILE", "DARKFILE", "PFLTFILE", "IMPHTTAB"}
    assert all(lines[key].endswith("good") for key in ("CCDTAB", "BIASFILE", "DARKFILE"))
    assert "row" in lines["CCDTAB"]


def test_check_reports_all_problems(raw, folder, capsys):
    set_keywords(raw, DARKFILE="jref$no_dark.fits", BIASFILE="N/A")
    with nothing_changes(folder):
        assert main(["check", RAW]) == 1
    shown = capsys.readouterr().out
    assert f"{RAW}: 2 problems:\n1. BIASFILE" in shown
    assert "\n2. DARKFILE" in shown
    assert [line.split()[-2:] for line in shown.splitlines() if line.startswith(("BIASFILE ", "DARKFILE "))] == [
        ["see", "below"]
    ] * 2


def test_check_an_association(observed, folder, capsys):
    table = observed.association(folder, "CR-SPLIT", "HRC", subarray=None)
    with nothing_changes(folder):
        assert main(["check", table.name]) == 0
    shown = capsys.readouterr().out
    assert [f"jh001a0{i}q_raw.fits: HRC" in shown for i in range(2)] == [True, True]
    set_keywords(folder / "jh001a00q_raw.fits", CRREJTAB="jref$none.fits")
    assert main(["check", table.name]) == 1
    assert f"{table.name}: one problem:\n1. product jh001a011: CRREJTAB" in capsys.readouterr().out
    set_keywords(folder / "jh001a01q_raw.fits", SATUFILE="jref$no_satu.fits")
    assert main(["check", table.name]) == 1
    assert "1. member jh001a01q: SATUFILE" in capsys.readouterr().out
    set_cells(table, "MEMTYPE", {0: "EXP"})
    assert main(["check", table.name]) == 1
    assert "row 1: MEMTYPE 'EXP'" in capsys.readouterr().err


def test_info(raw, observed, folder, capsys):
    set_keywords(raw, FLATCORR="OMIT", DARKFILE=observed.spoiled("HRC", "DARKFILE", "dummy2", PEDIGREE="DUMMY"))
    with nothing_changes(folder):
        assert main(["info", RAW]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[1]: line for line in lines if line.startswith(("acsccd ", "acs2d "))}
    assert "will be done" in rows["BLEVCORR"]
    assert "omitted" in rows["FLATCORR"]
    assert "skipped: dummy reference file" in rows["DARKCORR"]


# ---- demo, and the program as a whole


@pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")
def test_demo(folder, monkeypatch, capsys, jref):
    monkeypatch.setenv("jref", "elsewhere")
    monkeypatch.setattr(
        demo, "EXPOSURES", (("HRC", {"detector": "HRC", "exptime": 100.0, "subarray": (0, 0, 300, 200)}),)
    )
    assert main(["demo", "here", "--seed", "3", "-j", "1"]) == 0
    shown = capsys.readouterr()
    assert "jhsim003q_flt.fits" in shown.out
    assert products(folder / "here") == ["jhsim003q_flt.fits", "jref"]
    assert main(["demo", "here"]) == 1
    assert "holds a demonstration already" in capsys.readouterr().err


def test_as_a_program_in_a_pipe(raw, folder):
    """Progress is silent there, and a warning goes to standard error."""
    words = [sys.executable, "-m", "calacs", "run", RAW]
    finished = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, f"{RAW} -> {FLT}\n", "")
    finished = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert "exists already" in finished.stderr


@pytest.mark.parametrize(
    ("text", "value"), [("a=1", 1), ("a=1.5", 1.5), ("A=x.fits", "x.fits"), ("a=b=c", "b=c"), ("a=", "")]
)
def test_assignments(text, value):
    assert cli._assignment(text) == ("a", value)
