"""ACSTOOLS: its functions have the same signatures as ours, and run, unmodified, on our programs."""

import importlib
import inspect
import os
import shutil
import subprocess
import warnings

import pytest

from calacs import acs2d, acsccd, acscte, acscteforwardmodel, acsrej, acssum, calacs, fits
from calacs.executables import write_launchers
from helpers import units
from pairs import Pair

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import acstools
        from acstools import acs_destripe, acs_destripe_plus
        from stsci.tools import parseinput
    except ImportError:
        acstools = None

needs_acstools = pytest.mark.skipif(
    acstools is None, reason="ACSTOOLS is not installed: pip install 'calacs[acstools]'"
)
DOORS = {
    "calacs": calacs.calacs,
    "acsccd": acsccd.acsccd,
    "acscte": acscte.acscte,
    "acscteforwardmodel": acscteforwardmodel.acscteforwardmodel,
    "acs2d": acs2d.acs2d,
    "acssum": acssum.acssum,
    "acsrej": acsrej.acsrej,
}
COMMON = {"exec_path": "", "time_stamps": False, "verbose": False}
QUIET = {"quiet": False}
SINGLE = {"single_core": False}
WORDS = {"exe_args": None}
SIGNATURES = {
    "calacs": {
        "input_file": "-",
        "exec_path": None,
        "time_stamps": False,
        "temp_files": False,
        "verbose": False,
        "debug": False,
        "quiet": False,
        "single_core": False,
        "exe_args": None,
    },
    "acsccd": {"input": "-", **COMMON, **QUIET, **WORDS},
    "acscte": {"input": "-", **COMMON, **QUIET, **SINGLE, **WORDS},
    "acscteforwardmodel": {"input": "-", **COMMON, **QUIET, **SINGLE, **WORDS},
    "acs2d": {"input": "-", **COMMON, **QUIET, **WORDS},
    "acssum": {"input": "-", "output": "-", **COMMON, **QUIET, **WORDS},
    "acsrej": {
        "input": "-",
        "output": "-",
        **COMMON,
        "shadcorr": False,
        "crrejtab": "",
        "crmask": False,
        "scalense": None,
        "initgues": "",
        "skysub": "",
        "crsigmas": "",
        "crradius": None,
        "crthresh": None,
        "badinpdq": None,
        "newbias": False,
        "readnoise_only": False,
        **WORDS,
    },
}
"""Arguments of ACSTOOLS 3.8.2, with their defaults; "-" stands for none."""


def signature(function):
    """[(name, default)] of the arguments that have a position."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, "-" if p.default is p.empty else p.default) for p in parameters if p.kind is not p.KEYWORD_ONLY]


@pytest.mark.parametrize("task", DOORS)
def test_signatures_are_those_on_record(task):
    assert signature(DOORS[task]) == list(SIGNATURES[task].items())


@needs_acstools
@pytest.mark.parametrize("task", DOORS)
def test_signatures_are_those_of_acstools(task):
    theirs = getattr(importlib.import_module(f"acstools.{task}"), task)
    assert signature(DOORS[task]) == signature(theirs)
    # What the official module offers besides, ours has too.
    module = importlib.import_module(f"acstools.{task}")
    assert set(getattr(module, "__all__", [task])) <= set(dir(importlib.import_module(f"calacs.{task}")))


# ---- ACSTOOLS on our programs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A pair of WFC subarrays with their association table, and their reference files."""
    pair = Pair(tmp_path_factory.mktemp("acstools"))
    write_launchers(pair.folder.parent / "bin")
    return pair


@pytest.fixture
def two_folders(data, tmp_path, monkeypatch):
    """Two folders with the exposures: one for ACSTOOLS, one for our functions; our programs come first on PATH."""
    for name in ("theirs", "ours"):
        shutil.copytree(data.folder, tmp_path / name)
    monkeypatch.setenv("jref", f"{data.jref}{os.sep}")
    monkeypatch.setenv("PATH", str(data.folder.parent / "bin"), prepend=os.pathsep)
    return tmp_path


def products(folder):
    """Content of all images of a folder, apart from the day."""
    found = {}
    for path in sorted(folder.glob("*.fits")):
        cards = [([card for card in cards if card[:8] != "DATE    "], data) for cards, data in units(path)]
        found[path.name] = cards
    return found


def compare(folders, theirs, ours, monkeypatch):
    """Run one thing in each of the folders, and compare what they made."""
    made = []
    for name, run in (("theirs", theirs), ("ours", ours)):
        monkeypatch.chdir(folders / name)
        run()
        made.append(products(folders / name))
    assert list(made[0]) == list(made[1])
    for name in made[0]:
        assert made[0][name] == made[1][name], name
    return list(made[0])


def prepare(folders, suffix="_blv_tmp"):
    """Calibrate the exposures so far in both folders."""
    for name in ("theirs", "ours"):
        raw = sorted((folders / name).glob("*_raw.fits"))
        acsccd.acsccd(raw, quiet=True)
        if suffix in ("_blc_tmp", "_flc"):
            acscte.acscte([path.with_name(path.name.replace("_raw", "_blv_tmp")) for path in raw], quiet=True)
        if suffix in ("_flt", "_flc"):
            source = "_blv_tmp" if suffix == "_flt" else "_blc_tmp"
            acs2d.acs2d([path.with_name(path.name.replace("_raw", source)) for path in raw], quiet=True)


def roots(folders):
    return sorted(path.name.removesuffix("_raw.fits") for path in (folders / "ours").glob("*_raw.fits"))


def theirs(task, *arguments, **options):
    module = importlib.import_module(f"acstools.{task}")
    return lambda: getattr(module, task)(*arguments, **options)


def ours(task, *arguments, **options):
    return lambda: DOORS[task](*arguments, **options)


pytestmark = pytest.mark.filterwarnings("ignore")


@needs_acstools
class TestUnmodified:
    """Functions of the installed ACSTOOLS against our programs."""

    def test_calacs(self, two_folders, monkeypatch):
        asn = next(path.name for path in (two_folders / "ours").glob("*_asn.fits"))
        options = {"quiet": True, "single_core": True, "temp_files": True, "exe_args": ["--ctegen", "2"]}
        made = compare(two_folders, theirs("calacs", asn, **options), ours("calacs", asn, **options), monkeypatch)
        suffixes = {name.partition("_")[2] for name in made}
        assert {"flt.fits", "flc.fits", "crj.fits", "crc.fits", "blv_tmp.fits", "crc_tmp.fits"} <= suffixes

    @pytest.mark.parametrize("form", ["list", "text", "wildcards", "file"])
    def test_acsccd(self, two_folders, monkeypatch, form):
        names = [f"{root}_raw.fits" for root in roots(two_folders)]
        for name in ("theirs", "ours"):
            (two_folders / name / "list").write_text("\n".join(names))
        source = {"list": names, "text": ",".join(names), "wildcards": "*_raw.fits", "file": "@list"}[form]
        options = {"quiet": True, "verbose": True, "time_stamps": True}
        made = compare(two_folders, theirs("acsccd", source, **options), ours("acsccd", source, **options), monkeypatch)
        assert sum("_blv_tmp" in name for name in made) == 2

    def test_acsccd_with_an_association(self, two_folders, monkeypatch):
        asn = next(path.name for path in (two_folders / "ours").glob("*_asn.fits"))
        compare(two_folders, theirs("acsccd", asn), ours("acsccd", asn), monkeypatch)

    def test_acscte(self, two_folders, monkeypatch):
        prepare(two_folders)
        source = f"{roots(two_folders)[0]}_blv_tmp.fits"
        options = {"quiet": True, "exe_args": ["--nthreads", "2"]}
        made = compare(two_folders, theirs("acscte", source, **options), ours("acscte", source, **options), monkeypatch)
        assert f"{roots(two_folders)[0]}_blc_tmp.fits" in made

    def test_acscteforwardmodel(self, two_folders, monkeypatch):
        prepare(two_folders)
        source = f"{roots(two_folders)[0]}_blv_tmp.fits"
        made = compare(
            two_folders,
            theirs("acscteforwardmodel", source, single_core=True),
            ours("acscteforwardmodel", source, single_core=True),
            monkeypatch,
        )
        assert f"{roots(two_folders)[0]}_ctefmod.fits" in made

    def test_acs2d(self, two_folders, monkeypatch):
        prepare(two_folders)
        made = compare(two_folders, theirs("acs2d", "*_blv_tmp.fits"), ours("acs2d", "*_blv_tmp.fits"), monkeypatch)
        assert sum("_flt" in name for name in made) == 2

    def test_acssum(self, two_folders, monkeypatch):
        prepare(two_folders, "_flt")
        names = [f"{root}_flt.fits" for root in roots(two_folders)]
        made = compare(
            two_folders,
            theirs("acssum", names, "x_sfl.fits", quiet=True),
            ours("acssum", names, "x_sfl.fits", quiet=True),
            monkeypatch,
        )
        assert "x_sfl.fits" in made

    def test_acsrej(self, two_folders, monkeypatch):
        prepare(two_folders)
        names = [f"{root}_blv_tmp.fits" for root in roots(two_folders)]
        options = {
            "verbose": True,
            "time_stamps": True,
            "crmask": True,
            "scalense": 30.0,
            "initgues": "med",
            "skysub": "none",
            "crsigmas": "6.5,5.5",
            "crradius": 1.5,
            "crthresh": 0.8,
            "badinpdq": 39,
            "readnoise_only": True,
        }
        made = compare(
            two_folders,
            theirs("acsrej", names, "x_crj_tmp.fits", **options),
            ours("acsrej", names, "x_crj_tmp.fits", **options),
            monkeypatch,
        )
        assert "x_crj_tmp.fits" in made
        assert fits.read_exposure(two_folders / "ours" / "x_crj_tmp.fits").primary["CRTHRESH"] == pytest.approx(0.8)

    def test_destripe_plus_and_crrej_plus(self, two_folders, monkeypatch):
        names = [f"{root}_raw.fits" for root in roots(two_folders)]

        def with_acstools():
            for name in names:
                acs_destripe_plus.destripe_plus(name, keep_intermediate_files=True, dqbits=16)
            acs_destripe_plus.crrej_plus("*_blv_tmp.fits", "jcombined")
            acs_destripe_plus.crrej_plus("*_blc_tmp.fits", "jcombined")

        def with_our_functions():
            for module in (acs_destripe_plus.acsccd, acs_destripe_plus.acscte):
                task = module.__name__.rpartition(".")[2]
                monkeypatch.setattr(module, task, DOORS[task])
            monkeypatch.setattr(acs_destripe_plus.acs2d, "acs2d", acs2d.acs2d)
            monkeypatch.setattr(acs_destripe_plus.acsrej, "acsrej", acsrej.acsrej)
            with_acstools()

        made = compare(two_folders, with_acstools, with_our_functions, monkeypatch)
        assert {"jcombined_crj.fits", "jcombined_crc.fits", f"{roots(two_folders)[0]}_flc.fits"} <= set(made)

    def test_failures_are_noticed(self, two_folders, monkeypatch):
        monkeypatch.chdir(two_folders / "theirs")
        name = f"{roots(two_folders)[0]}_raw.fits"
        theirs("acsccd", name)()
        with pytest.raises(subprocess.CalledProcessError) as caught:
            theirs("acsccd", name)()
        assert caught.value.returncode == 2
        theirs("acsccd", name, exe_args=["--official-exit"])()
        assert parseinput.parseinput(name) == ([name], None)
        assert acs_destripe.__name__ == "acstools.acs_destripe"
