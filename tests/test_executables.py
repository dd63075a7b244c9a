"""The programs with the official names: what each option and each error leads to, and the launchers.

``python tests/test_executables.py FOLDER`` compares the tables of this module with the official programs in FOLDER.
"""

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from calacs import acsccd, acscte, acsrej, cli, executables, fits
from calacs import calacs as pipeline
from calacs._version import CAL_VER
from calacs.errors import FileNotReadable, OutputExists, WriteFailed
from calacs.executables import FAILURE, INTERRUPTED, main, write_launchers
from calacs.options import PROGRAMS, leading_float, leading_int
from helpers import units
from pairs import Pair

SYNTAX = "syntax:  "
UNKNOWN = "Unrecognized option "
MANY = "You specified 2 input files but 1 output file"


@dataclass(frozen=True)
class Usage:
    """Words that lead to no processing.

    Attributes
    ----------
    program, words : str
        What is run.
    status : int
        Exit status, ours and the official one.
    says : str
        What standard output or standard error must hold.
    """

    program: str
    words: str
    status: int
    says: str = ""


def _usages():
    for program in ("calacs", "acsccd", "acscte", "acscteforwardmodel", "acs2d", "acssum"):
        wrong = 2 if program in ("calacs", "acscte", "acscteforwardmodel") else 1
        for prefix in ("", "-t ", "-tv "):
            yield Usage(program, f"{prefix}--version", 0, "10.5.0")
        yield Usage(program, "--gitinfo", 0, "git tag:")
        yield Usage(program, "--gitinfo", 0, "HEAD @:")
        yield Usage(program, "--help", 0, SYNTAX + program)
        yield Usage(program, "x_raw.fits --help", 0, SYNTAX)
        yield Usage(program, "--version -x", 0, "10.5.0")
        yield Usage(program, "", 2, SYNTAX)
        yield Usage(program, "-", 2, SYNTAX)
        yield Usage(program, "-t", 2, SYNTAX)
        yield Usage(program, "a b c", 2, SYNTAX)
        yield Usage(program, "--xx", wrong, UNKNOWN + "--xx")
        yield Usage(program, "--nThreads 2 x_raw.fits", wrong, UNKNOWN + "--nThreads")
        if program not in ("acscte", "acscteforwardmodel"):
            yield Usage(program, "-x", wrong, UNKNOWN + "-x")
            yield Usage(program, "-tvz x_raw.fits", wrong, UNKNOWN + "-tvz")
            yield Usage(program, "-h", wrong, UNKNOWN + "-h")
        else:
            yield Usage(program, "-z", 2, UNKNOWN + "-z")
    yield Usage("calacs", "a b", 2, "CALACS Version 10.5.0")
    yield Usage("calacs", "-r", 0, "Current version: 10.5.0")
    yield Usage("calacs", "-vr x", 0, "Current version: 10.5.0")
    yield Usage("calacs", "--forwardModelOnly x_raw.fits", 2, UNKNOWN + "--forwardModelOnly")
    yield Usage("acsccd", "a b c", 2, "Too many arguments")
    for program in ("acsccd", "acs2d", "acssum"):
        for word in ("-r", "-1", "-s", "--nthreads", "--pctetab", "--ctegen"):
            yield Usage(program, f"{word} x_raw.fits", 1, UNKNOWN + word)
    for program in ("calacs", "acscte", "acscteforwardmodel"):
        yield Usage(program, "--ctegen", 1, "--ctegen - CTE algorithm generation not specified")
        yield Usage(program, "x.fits --ctegen 3", 1, "--ctegen - value out of range")
        yield Usage(program, "--ctegen x.fits", 1, "--ctegen - value out of range")
        yield Usage(program, "--pctetab", 1, "--pctetab - no file specified")
        yield Usage(program, "--nthreads", 1, "--nthreads - number of threads not specified")
        yield Usage(program, "--nthreads=2 x.fits", 2)
    yield Usage("acscte", "--ctegen 1 --forwardModelOnly x_flc.fits", 87, "--forwardModelOnly NOT compatible")
    yield Usage("acscteforwardmodel", "--ctegen 1 x_flc.fits", 87, "--forwardModelOnly NOT compatible")
    for words in ("", "a", "--help", "--version", "-t"):
        yield Usage("acsrej", words, 2, "Syntax error: acsrej.e input output")
    for word in ("-foo", "c", "-t=1", "-tv", "-scale", "-table", "-pdq", "--version", "-q"):
        yield Usage("acsrej", f"a b {word}", 2, f"Syntax error: {word}")
    yield Usage("acsrej", "a b -newbias", 2, "readnoise_only")


USAGES = list(_usages())


@dataclass(frozen=True)
class Run:
    """Words that lead to processing.

    Attributes
    ----------
    program, words : str
        What is run; {a}, {b}, {asn}, {p} stand for root names.
    needs : str
        Files that are there.
    status, official : int
        Exit status, ours and the official one, which ours is too with ``--official-exit``.
    says : tuple of str
        What standard output must hold, in this order; officially too.
    makes : str
        Products.
    lacks : str
        Files that must not be made.
    same : bool
        Whether the official program makes the same files.
    """

    program: str
    words: str
    needs: str = "{a}_raw"
    status: int = 0
    official: int = 0
    says: tuple[str, ...] = ()
    makes: str = ""
    lacks: str = ""
    same: bool = True


CCD = (
    "CALBEG*** ACSCCD -- Version 10.5.0",
    "Begin    ",
    "Input    ",
    "Output   ",
    "BIASCORR PERFORM",
    "BIASFILE jref$",
)
CCD += ("BIASFILE PEDIGREE=", "BIASFILE DESCRIP =", "BIASCORR COMPLETE", "End      ", "*** ACSCCD complete ***")
EXISTS = ("CALBEG*** ACSCCD", "ERROR:    Error processing {a}_raw.fits")
BOTH = "{a}_blv_tmp {b}_blv_tmp"
PLAIN = "-scale 30 -init med -sky none -sigmas 6,5 -radius 1.5 -thresh 0.8 -pdq 39"
REJECTED = ("CALBEG*** ACSREJ", "CRCORR   PERFORM", "CRCORR   COMPLETE", "*** ACSREJ complete ***")
BLV, BLC, FLT, CRJ = "{a}_blv_tmp", "{a}_blc_tmp", "{a}_flt", "x_crj_tmp"
RUNS = [
    # acsccd
    Run("acsccd", "{a}_raw.fits", says=CCD, makes=BLV),
    Run("acsccd", "-v {a}_raw.fits", says=CCD, makes=BLV),
    Run("acsccd", "-tv {a}_raw.fits", says=("-I---------------",), makes=BLV),
    Run("acsccd", "- {a}_raw.fits -t", says=("-I---------------",), makes=BLV),
    Run("acsccd", "{a}_raw.fits other.fits", says=("Output   {a}_blv_tmp.fits",), makes=BLV, lacks="other"),
    Run("acsccd", "{a}.fits", needs="{a}_raw {a}_asn", says=("Input    {a}_raw.fits",), makes=BLV, same=False),
    Run("acsccd", "{a}_raw.fits,{b}_raw.fits", needs="{a}_raw {b}_raw", says=(*CCD, *CCD), makes=BOTH),
    Run("acsccd", "{a}_raw.fits,{b}_raw.fits other.fits", "{a}_raw {b}_raw", 2, 2, (MANY,), lacks=BLV),
    Run("acsccd", "{a}_raw.fits", "{a}_raw {a}_blv_tmp", 2, 0, EXISTS),
    Run("acsccd", "none_raw.fits", "", 2, 0, ("ERROR:    ",)),
    Run("acsccd", "none_raw.fits,{a}_raw.fits", "{a}_raw", 2, 0, ("ERROR:    ",), makes=BLV, same=False),
    # acscte
    Run(
        "acscte",
        "{a}_blv_tmp.fits",
        BLV,
        says=("CALBEG*** ACSCTE", "PCTECORR COMPLETE", "*** ACSCTE complete"),
        makes=BLC,
    ),
    Run("acscte", "-1 {a}_blv_tmp.fits", BLV, makes=BLC),
    Run("acscte", "--nthreads 2 --ctegen 2 {a}_blv_tmp.fits", BLV, makes=BLC),
    Run("acscte", "--nthreads 0 {a}_blv_tmp.fits", BLV, makes=BLC),
    Run("acscte", "-1 --nthreads 2 {a}_blv_tmp.fits", BLV, says=("takes precedence",), makes=BLC),
    Run(
        "acscte",
        "--pctetab jref$simwfc_cte.fits {a}_blv_tmp.fits",
        BLV,
        says=("(pctecorr) Using cmd line specified PCTETAB file",),
        makes=BLC,
    ),
    Run("acscte", "-z {a}_blv_tmp.fits", BLV, says=("Unrecognized option -z", SYNTAX), makes=BLC),
    Run("acscte", "{a}_blv_tmp.fits other.fits", BLV, makes=BLC, lacks="other"),
    Run("acscte", "--forwardModelOnly {a}_blv_tmp.fits", BLV, makes="{a}_ctefmod", lacks=BLC),
    Run("acscteforwardmodel", "{a}_blv_tmp.fits", BLV, makes="{a}_ctefmod", lacks=BLC),
    Run("acscteforwardmodel", "-1tv --ctegen 2 {a}_blv_tmp.fits", BLV, makes="{a}_ctefmod"),
    Run(
        "acscte", "{a}_blc_tmp.fits", BLC, says=("because PCTECORR is not set to PERFORM",), lacks="{a}_blc_tmp_blc_tmp"
    ),
    Run("acscte", "{a}_blv_tmp.fits", BLV + " " + BLC, 2, 0, ("ERROR:    ",)),
    Run("acscte", "--pctetab none.fits {a}_blv_tmp.fits", BLV, 2, 0, ("ERROR:    ",), lacks=BLC),
    Run("acscte", "none_blv_tmp.fits", "", 2, 0, same=False),
    # acs2d
    Run(
        "acs2d",
        "{a}_blv_tmp.fits",
        BLV,
        says=("CALBEG*** ACS2D", "DARKFILE jref$", "*** ACS2D complete ***"),
        makes=FLT,
    ),
    Run("acs2d", "-tvq {a}_blv_tmp.fits", BLV, makes=FLT),
    Run("acs2d", "{a}_blc_tmp.fits", BLC, makes="{a}_flc"),
    Run("acs2d", "{a}_blv_tmp.fits other", BLV, makes="other", lacks=FLT),
    Run("acs2d", "{a}_blv_tmp.fits,{b}_blv_tmp.fits", BOTH, makes="{a}_flt {b}_flt"),
    Run("acs2d", "{a}_blv_tmp.fits,{b}_blv_tmp.fits one.fits", BOTH, 2, 2, (MANY,), lacks=FLT),
    Run("acs2d", "{a}_raw.fits", says=("ERROR:    Error processing {a}_raw.fits",), status=2, lacks=FLT),
    Run("acs2d", "{a}_blv_tmp.fits", BLV + " " + FLT, 2, 0, ("ERROR:    Error processing",)),
    # acssum
    Run(
        "acssum",
        "{a}_flt.fits,{b}_flt.fits x_sfl.fits",
        "{a}_flt {b}_flt",
        says=("*** ACSSUM complete ***",),
        makes="x_sfl",
    ),
    Run("acssum", "-tvq {a}_flt.fits,{b}_flt.fits x_sfl.fits", "{a}_flt {b}_flt", makes="x_sfl"),
    Run("acssum", "{a}_flt.fits x_sfl.fits", FLT, 2, 0, ("ERROR:    Error processing",), lacks="x_sfl"),
    Run("acssum", "none.fits,{a}_flt.fits x_sfl.fits", FLT, 2, 0, ("ERROR:    Error processing",), lacks="x_sfl"),
    # acsrej
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits", BOTH, says=REJECTED, makes=CRJ),
    Run("acsrej", f"{{a}}_blv_tmp.fits,{{b}}_blv_tmp.fits x_crj_tmp.fits -v -t {PLAIN}", BOTH, makes=CRJ),
    Run("acsrej", f"{{a}}_blv_tmp.fits,{{b}}_blv_tmp.fits x_crj_tmp.fits -crmask {PLAIN}", BOTH, makes=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits -readnoise_only", BOTH, makes=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits -table jref$simwfc_crr.fits", BOTH, makes=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits -pdq 65535", BOTH, makes=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits -radius 1.5x -pdq 0x10", BOTH, makes=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits x_crj_tmp.fits", BLV, 2, 2, ("ERROR:    Error processing",), lacks=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits,none.fits x_crj_tmp.fits", BLV, 2, 2, ("ERROR:    Error processing",), lacks=CRJ),
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits {a}_flt.fits", BOTH + " " + FLT, 2, 2, ("ERROR:    Error",)),
    Run("acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits -sky foo", BOTH, 2, 2, ("ERROR:    ",), lacks=CRJ),
    Run(
        "acsrej", "{a}_blv_tmp.fits,{b}_blv_tmp.fits x_crj_tmp.fits -table no.fits", BOTH, 2, 2, ("ERROR:",), lacks=CRJ
    ),
    # calacs
    Run(
        "calacs",
        "{a}_raw.fits",
        says=("CALBEG*** CALACS", "Input    {a}_raw.fits", *CCD, "CALBEG*** ACSCTE", "CALBEG*** ACS2D")
        + ("*** ACS2D complete ***", "*** CALACS complete ***", "CALACS completion for {a}_raw.fits"),
        makes="{a}_flt {a}_flc",
        lacks=f"{BLV} {BLC}",
    ),
    Run("calacs", "-tsvd1 {a}_raw.fits", says=("-I---------------",), makes=f"{{a}}_flt {{a}}_flc {BLV} {BLC}"),
    Run("calacs", "{a}_raw", makes="{a}_flt {a}_flc"),
    Run("calacs", "--nthreads 2 -q --ctegen 1 {a}_raw.fits", makes="{a}_flt {a}_flc"),
    Run("calacs", "--pctetab jref$other_cte.fits {a}_raw.fits", says=("WARNING: using pcteTab file",), makes="{a}_flc"),
    Run("calacs", "{a}", makes="{a}_flt {a}_flc", official=0, same=False),
    Run(
        "calacs",
        "{asn}_asn.fits",
        "{a}_raw {b}_raw {a}_spt {b}_spt {asn}_asn",
        says=("CALBEG*** CALACS", *REJECTED, "CALACS completion for {asn}_asn.fits"),
        makes="{a}_flt {b}_flt {a}_flc {b}_flc {p}_crj {p}_crc {p}_spt",
        lacks=f"{BLV} {BLC} {{p}}_crj_tmp",
    ),
    Run(
        "calacs",
        "{a}_raw.fits",
        f"{{a}}_raw {FLT}",
        2,
        2,
        ("ERROR:    CALACS processing NOT completed for {a}_raw.fits",),
    ),
    Run("calacs", "none_raw.fits", "", 2, 2, ("ERROR:    CALACS processing NOT completed for none_raw.fits",)),
    Run("calacs", "none_asn.fits", "", 2, 2, ("ERROR:    CALACS processing NOT completed for none_asn.fits",)),
    Run(
        "calacs", "{asn}_asn.fits", "{asn}_asn", 2, 2, ("ERROR:    CALACS processing NOT completed for {asn}_asn.fits",)
    ),
    Run("calacs", "{a}_flt.fits", FLT, 2, 2, ("ERROR:    CALACS processing NOT completed",), same=False),
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    made = Pair(tmp_path_factory.mktemp("programs"))
    made.calibrate()
    (made.jref / "other_cte.fits").symlink_to(made.jref / "simwfc_cte.fits")
    return made


@pytest.fixture
def folder(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("jref", f"{pair.jref}{os.sep}")
    return tmp_path


@pytest.mark.parametrize("usage", USAGES, ids=lambda one: f"{one.program} {one.words}")
def test_usage(usage, capsys, folder):
    status = main(usage.program, usage.words.split())
    output = capsys.readouterr()
    assert status == usage.status
    assert usage.says in output.out + output.err
    assert main(usage.program, [*usage.words.split(), "--official-exit"]) == usage.status
    assert list(folder.iterdir()) == []


def holds_in_order(text, parts):
    """Whether a text holds all parts, one after the other; the first that it does not hold."""
    position = 0
    for part in parts:
        found = text.find(part, position)
        if found < 0:
            return part
        position = found + len(part)
    return None


def needed(pair, run, folder):
    pair.copy(
        " ".join(name for name in run.needs.split() if (pair.folder / f"{pair.name(name)}.fits").exists()), folder
    )
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("run", RUNS, ids=lambda one: f"{one.program} {one.words}")
def test_run(run, pair, folder, capsys):
    before = needed(pair, run, folder)
    status = main(run.program, [pair.name(word) for word in run.words.split()])
    output = capsys.readouterr()
    assert status == run.status, output.out
    assert holds_in_order(output.out, map(pair.name, run.says)) is None, output.out
    made = {path.name for path in folder.iterdir()} - before
    for name in run.makes.split():
        assert f"{pair.name(name)}.fits" in made
    for name in run.lacks.split():
        assert f"{pair.name(name)}.fits" not in made
    assert not any(name.endswith((".part", "_tmp.tra")) for name in made)


@pytest.mark.parametrize("run", [one for one in RUNS if one.status], ids=lambda one: f"{one.program} {one.words}")
def test_official_status_of_failures(run, pair, folder, capsys):
    needed(pair, run, folder)
    words = [pair.name(word) for word in run.words.split()]
    assert main(run.program, ["--official-exit", *words] if run.program != "acsrej" else words) == run.official


# ---- products are those of the functions


def cards_and_data(path):
    return [([card for card in cards if card[:8] != "DATE    "], data) for cards, data in units(path)]


def test_quiet_programs_say_nothing(pair, folder, capsys):
    pair.copy("{a}_raw {a}_flt", folder)
    a = pair.names["a"]
    assert main("acsccd", ["-q", f"{a}_raw.fits"]) == 0
    assert capsys.readouterr() == ("", "")
    assert "*** ACSCCD complete ***" in Path(f"{a}.tra").read_text()
    assert main("acsccd", ["-q", f"{a}_raw.fits"]) == FAILURE
    output = capsys.readouterr()
    assert output.out == ""
    assert "exists already" in output.err
    assert main("acs2d", ["-q", f"{a}_raw.fits,{a}_blv_tmp.fits", "none.fits"]) == FAILURE
    assert "You specified 2 input files" in capsys.readouterr().err


def test_parameters_of_acsrej_reach_the_task(pair, folder):
    pair.copy(BOTH, folder)
    inputs = pair.name("{a}_blv_tmp.fits,{b}_blv_tmp.fits")
    assert main("acsrej", [inputs, "x_crj.fits", *PLAIN.split()]) == 0
    words = PLAIN.split()
    words[words.index("-thresh")] = "-thresh "  # as ACSTOOLS has it
    assert main("acsrej", [inputs, "y_crj.fits", *words]) == 0
    options = {"scalense": 30.0, "initgues": "med", "skysub": "none", "crsigmas": "6,5", "crradius": 1.5}
    acsrej.acsrej(inputs, "z_crj.fits", crthresh=0.8, badinpdq=39, **options)
    acsrej.acsrej(inputs, "w_crj.fits", exe_args=PLAIN.split())
    made = [fits.read_exposure(f"{name}_crj.fits") for name in "xyzw"]
    for one in made:
        assert (one.primary["CRTHRESH"], one.primary["CRSIGMAS"]) == (pytest.approx(0.8), "6,5")
        assert one.imsets[0].sci.tobytes() == made[0].imsets[0].sci.tobytes()


@pytest.mark.parametrize(
    ("task", "needs", "makes"),
    [
        ("acsccd", "{a}_raw {b}_raw {a}_flt", "{a}_blv_tmp {b}_blv_tmp"),
        ("acscte", "{a}_blv_tmp {b}_blv_tmp {a}_raw", "{a}_blc_tmp {b}_blc_tmp"),
        ("acscteforwardmodel", "{a}_blv_tmp {b}_blv_tmp", "{a}_ctefmod {b}_ctefmod"),
        ("acs2d", "{a}_blv_tmp {b}_blv_tmp {a}_raw", "{a}_flt {b}_flt"),
        ("acsrej", "{a}_blv_tmp {b}_blv_tmp", "x_crj"),
        ("acssum", "{a}_flt {b}_flt", "{asn}_sfl"),
        ("calacs", "{a}_raw {b}_raw {a}_spt {b}_spt", "{a}_flc {b}_flt {p}_crj"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*NRPTEXP says:calacs.errors.CalacsWarning")
def test_every_function_takes_an_association(task, needs, makes, pair, folder):
    pair.copy(f"{needs} {{asn}}_asn", folder)
    asn = pair.name("{asn}_asn.fits")
    options = {"acsrej": {"output": "x_crj.fits"}, "acssum": {"output": ""}}.get(task, {})
    made = getattr(importlib.import_module(f"calacs.{task}"), task)(asn, **options)
    names = {path.name for path in (made if isinstance(made, list) else [made])}
    assert {f"{pair.name(name)}.fits" for name in makes.split()} <= names
    assert all(Path(name).is_file() for name in names)


def test_members_may_lie_in_the_current_folder(pair, folder):
    (folder / "tables").mkdir()
    pair.copy("{asn}_asn", folder / "tables")
    pair.copy("{a}_raw {b}_raw", folder)
    made = acsccd.acsccd(f"tables/{pair.name('{asn}_asn.fits')}", quiet=True)
    assert [str(path) for path in made] == [pair.name("{a}_blv_tmp.fits"), pair.name("{b}_blv_tmp.fits")]
    made[1].unlink()
    with pytest.raises(FileNotReadable, match="has no file"):
        acscte.acscte(f"tables/{pair.name('{asn}_asn.fits')}", quiet=True)


def test_the_pipeline_takes_the_table_of_the_command_line(pair, folder):
    pair.copy("{a}_raw", folder)
    a = pair.names["a"]
    pipeline.calacs(f"{a}_raw.fits", quiet=True, exe_args=["-s", "--pctetab", "jref$other_cte.fits"])
    names = {
        suffix: fits.read_exposure(f"{a}_{suffix}.fits").primary["PCTETAB"] for suffix in ("blv_tmp", "flt", "flc")
    }
    assert names == {"blv_tmp": "jref$simwfc_cte.fits", "flt": "jref$simwfc_cte.fits", "flc": "jref$other_cte.fits"}


# ---- trailers


def headings(path):
    """Tasks whose begin and end a trailer holds, in order."""
    return re.findall(r"^(?:CALBEG)?\*\*\* (\w+) (?=-- Version|complete)", Path(path).read_text(), flags=re.M)


def test_trailers_of_an_association(pair, folder, capsys):
    pair.copy("{a}_raw {b}_raw {a}_spt {b}_spt {asn}_asn", folder)
    assert main("calacs", [pair.name("{asn}_asn.fits")]) == 0
    task = {name: [name.upper()] * 2 for name in ("acsccd", "acscte", "acs2d", "acsrej")}
    one = task["acsccd"] + task["acscte"]
    image = task["acs2d"]
    members = ["CALACS", *one, *one]
    assert headings(pair.name("{a}.tra")) == ["CALACS", *one, *image, *image]
    assert headings(pair.name("{b}.tra")) == [*one, *image, *image]
    combined = [*members, *task["acsrej"], *image] * 2
    assert headings(pair.name("{p}.tra")) == combined
    assert headings(pair.name("{asn}.tra")) == [*combined, "CALACS"]
    last = Path(pair.name("{asn}.tra")).read_text().splitlines()[-1]
    assert last == pair.name("CALACS completion for {asn}_asn.fits")
    shown = capsys.readouterr().out
    assert shown.count("CALBEG*** CALACS") == 1
    assert shown.count("CALBEG*** ACSREJ") == 2


def test_trailers_of_single_exposures_grow(pair, folder, capsys):
    pair.copy("{a}_raw", folder)
    a = pair.names["a"]
    assert main("acsccd", ["-q", f"{a}_raw.fits"]) == 0
    assert main("acs2d", ["-q", f"{a}_blv_tmp.fits", "other_flt.fits"]) == 0
    assert headings(f"{a}.tra") == ["ACSCCD"] * 2
    # A product with another name starts with what was said about its input.
    assert headings("other.tra") == ["ACSCCD"] * 2 + ["ACS2D"] * 2
    capsys.readouterr()
    assert main("acs2d", [f"{a}_raw.fits", f"{a}_flt.fits"]) == FAILURE
    assert "Revising existing trailer file" in capsys.readouterr().out
    text = Path(f"{a}.tra").read_text()
    assert "ACSCCD" not in text
    assert text.count("CALBEG") == 1


def test_a_trailer_that_cannot_be_written_fails_no_run(pair, folder, capsys):
    pair.copy("{a}_raw {b}_raw {a}_spt {b}_spt {asn}_asn", folder)
    for name in ("{a}.tra", "{p}.tra", "{asn}.tra"):
        Path(pair.name(name)).mkdir()
    assert main("calacs", [pair.name("{asn}_asn.fits")]) == 0
    output = capsys.readouterr()
    assert "cannot be written" in output.err
    assert "CALACS completion for" in output.out
    assert Path(pair.name("{p}_crc.fits")).exists()
    assert headings(pair.name("{b}.tra"))


@pytest.mark.skipif(os.name == "nt", reason="pipes are others there")
def test_nobody_listens(pair, folder):
    """A closed pipe ends the messages, not the run."""
    pair.copy("{a}_raw", folder)
    write_launchers(folder / "bin")
    program, a = folder / "bin" / "acsccd.e", pair.names["a"]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run([program, "-v", f"{a}_raw.fits"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert b"Traceback" not in process.stderr
    assert (folder / f"{a}_blv_tmp.fits").exists()
    assert "*** ACSCCD complete ***" in (folder / f"{a}.tra").read_text()


# ---- launchers


@pytest.mark.skipif(os.name == "nt", reason="these are the launchers of POSIX")
def test_launchers(pair, tmp_path, monkeypatch):
    folder = tmp_path / "a folder with 'quotes'"
    assert cli.main(["executables", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {f"{program}.e" for program in PROGRAMS}
    assert cli.main(["executables", str(folder)]) == 0  # they may be written again
    # Neither the current folder nor that of the launcher hides modules.
    for name in ("calacs.py", "numpy.py", "os.py"):
        (tmp_path / name).write_text("raise SystemExit('hidden')\n")
        (folder / name).write_text("raise SystemExit('hidden')\n")
    monkeypatch.chdir(tmp_path)
    for program in PROGRAMS:
        done = subprocess.run([folder / f"{program}.e", "--version"], capture_output=True, text=True, check=False)
        expected = (2, "Syntax error") if program == "acsrej" else (0, CAL_VER)
        assert done.returncode == expected[0]
        assert done.stdout.startswith(expected[1])
    done = subprocess.run([folder / "acsccd.e", "none_raw.fits"], capture_output=True, text=True, check=False)
    assert done.returncode == FAILURE
    assert "none_raw.fits: no such file" in done.stdout


def test_official_programs_are_not_replaced(tmp_path, capsys):
    official = tmp_path / "acsccd.e"
    official.write_bytes(b"\x7fELF")
    with pytest.raises(OutputExists, match="not a launcher of calacs"):
        write_launchers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["acsccd.e"]
    assert cli.main(["executables", str(tmp_path)]) == 1
    assert "choose another folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteFailed, match="cannot be written"):
        write_launchers(tmp_path / "file")


def test_launchers_of_windows(tmp_path):
    made = write_launchers(tmp_path / "bin", windows=True)
    batch = (tmp_path / "bin" / "acs2d.e.cmd").read_text()
    assert batch.startswith("@")
    assert "main('acs2d')" in batch
    assert batch.rstrip().endswith("%*")
    native = [path for path in made if path.suffix == ".e"]
    for path in native:
        assert path.read_bytes()[:2] == b"MZ"
        # Behind the program there is an archive that Python runs.
        done = subprocess.run([sys.executable, "-P", path, "--help"], capture_output=True, text=True, check=False)
        assert ("syntax" in done.stdout) if path.name != "acsrej.e" else (done.returncode == 2)
    write_launchers(tmp_path / "bin", windows=True)


def test_nothing_is_loaded_before_it_is_needed():
    code = "import sys; from calacs.executables import main; main('calacs', ['--version']); print(*sys.modules)"
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(done.stdout.split()) - set(bare.stdout.split())
    assert not new & {"numpy", "astropy", "logging", "typing", "re", "argparse", "dataclasses", "warnings", "pathlib"}


def test_ctrl_c(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(executables._CALLS, "acsccd", interrupt)
    assert main("acsccd", ["x_raw.fits"]) == INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_numbers_as_c_reads_them():
    assert [leading_int(text) for text in ("12", " -3x", "+7", "0x10", "x", "-", "")] == [12, -3, 7, 0, 0, 0, 0]
    assert [leading_float(text) for text in ("1.5", "2e1x", "-.5,", "1_0", "x")] == [1.5, 20.0, -0.5, 1.0, 0.0]


# ---- words of exe_args


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--bogus"], "means nothing to acsccd"),
        (["-r"], "means nothing"),
        (["--pctetab", "x.fits"], "means nothing to acsccd"),
        (["x_raw.fits"], "means nothing"),
        (["--help"], "means nothing"),
        (["--nthreads"], "needs a whole number"),
        (["--nthreads", "two"], "needs a whole number"),
        ("-tv", "must be a list of words"),
    ],
)
def test_words_that_mean_nothing(words, text):
    with pytest.raises(ValueError, match=text):
        acsccd.acsccd("none_raw.fits", exe_args=words)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--ctegen", "3"], "must be 1 or 2"),
        (["--pctetab"], "needs a value"),
        (["--forwardModelOnly"], "means nothing"),
    ],
)
def test_words_that_mean_nothing_to_the_pipeline(words, text):
    with pytest.raises(ValueError, match=text):
        pipeline.calacs("none_raw.fits", exe_args=words)


def test_words_that_mean_something(pair, folder, capsys):
    pair.copy("{a}_raw {b}_raw", folder)
    acsccd.acsccd(pair.name("{a}_raw.fits"), exe_args=["-tv", "--nThreads", "2"])
    assert "-I---------------" in capsys.readouterr().out
    acsccd.acsccd(pair.name("{b}_raw.fits"), exe_args=["-q", "-1"])
    assert capsys.readouterr().out == ""


def compare_with_official(programs):
    """Run the tables with the official programs; print what differs."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        pair = Pair(top / "pair")
        pair.calibrate()
        (pair.jref / "other_cte.fits").symlink_to(pair.jref / "simwfc_cte.fits")
        os.environ["jref"] = f"{pair.jref}{os.sep}"
        work = top / "work"
        for usage in USAGES:
            work.mkdir(exist_ok=True)
            command = [programs / f"{usage.program}.e", *usage.words.split()]
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, errors="replace", check=False)
            if done.returncode != usage.status or usage.says not in done.stdout + done.stderr:
                print(f"{usage}: status {done.returncode}\n  {done.stdout!r} {done.stderr!r}")
        for number, run in enumerate(RUNS):
            sides = {}
            for side in ("official", "ours"):
                folder = top / f"{number}{side}"
                folder.mkdir()
                needed(pair, run, folder)
                words = [pair.name(word) for word in run.words.split()]
                if side == "official":
                    command = [programs / f"{run.program}.e", *words]
                    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
                    status, text = done.returncode, done.stdout
                else:
                    stream = io.StringIO()
                    os.chdir(folder)
                    with contextlib.redirect_stdout(stream):
                        status = main(run.program, words)
                    os.chdir(top)
                    text = stream.getvalue()
                images = {path.name: path for path in folder.glob("*.fits")}
                traces = {path.name for path in folder.glob("*.tra")}
                sides[side] = status, text, images, traces
                missing = holds_in_order(text, map(pair.name, run.says))
                wanted = {f"{pair.name(one)}.fits" for one in run.makes.split()} - set(images)
                expected = run.official if side == "official" else run.status
                if (run.same or side == "ours") and (status != expected or missing or wanted):
                    print(f"{side} {run.program} {words}: status {status}, lacks {missing!r}, {wanted}\n{text[-600:]}")
            if not run.same or run.status:
                continue
            official, ours = sides["official"], sides["ours"]
            if (run.status == 0 and set(official[2]) != set(ours[2])) or official[3] != ours[3]:
                print(f"{run.program} {run.words}: files {set(official[2]) ^ set(ours[2])} {official[3] ^ ours[3]}")
            for name in set(official[2]) & set(ours[2]):
                pairs = zip(units(official[2][name]), units(ours[2][name]), strict=True)
                for extension, ((old, first), (new, second)) in enumerate(pairs):
                    old, new = (
                        [card for card in cards if card[:8] not in ("DATE    ", "CAL_VER ")] for cards in (old, new)
                    )
                    if first != second or old != new:
                        print(f"{run.program} {run.words}: {name}[{extension}] differs in {set(old) ^ set(new)}")
    print(f"{len(USAGES)} usages and {len(RUNS)} runs compared in {time.process_time():.0f} s")


if __name__ == "__main__":
    compare_with_official(Path(sys.argv[1]).resolve())
