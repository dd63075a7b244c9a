"""Fixtures: simulated reference files and exposures, a clean environment."""

import contextlib
import functools
import os
import sys

import pytest
from hypothesis import settings

import pipeline
from calacs import fits, sim

settings.register_profile("calacs", deadline=None, max_examples=40, derandomize=True, database=None)
settings.load_profile("calacs")

CCD_REFERENCES = ("CCDTAB", "OSCNTAB", "BPIXTAB", "ATODTAB", "BIASFILE", "SATUFILE", "SNKCFILE")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    monkeypatch.delenv("imclobber", raising=False)


@pytest.fixture(autouse=True)
def _open_files_stay(monkeypatch):
    """As on Windows, files that are open are neither replaced nor renamed."""
    if sys.platform != "linux":
        return

    def guarded(function):
        def checked(source, target, **options):
            opened = set()
            for number in os.listdir("/proc/self/fd"):
                with contextlib.suppress(OSError):  # closed meanwhile
                    opened.add(os.readlink(f"/proc/self/fd/{number}"))
            for path in (source, target):
                if os.path.realpath(path) in opened:
                    raise PermissionError(13, "The file is open", str(path))
            return function(source, target, **options)

        return checked

    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


@pytest.fixture(scope="session")
def jref(tmp_path_factory):
    """Folder of simulated reference files; ``jref$`` in names means this folder."""
    folder = tmp_path_factory.mktemp("jref")
    old = os.environ.get("jref")
    os.environ["jref"] = f"{folder}{os.sep}"
    yield folder
    os.environ.pop("jref")
    if old is not None:
        os.environ["jref"] = old


@pytest.fixture(scope="session")
def hrc_refs(jref):
    refs = sim.ReferenceSet("HRC")
    refs.write(jref, [key for key in CCD_REFERENCES if key in refs.names])
    return refs


@pytest.fixture(scope="session")
def wfc_refs(jref):
    refs = sim.ReferenceSet("WFC")
    refs.write(jref, CCD_REFERENCES)
    return refs


@pytest.fixture(scope="session")
def hrc(hrc_refs):
    """Maker of raw HRC exposures in memory; every call gives a private copy."""

    @functools.cache
    def make(items):
        keywords, options = (dict(part) for part in items)
        made = sim.simulate("HRC", references=hrc_refs, **{"seed": 1, "exptime": 30.0, "keywords": keywords} | options)
        return fits.as_exposure(made.to_hdulist())

    def maker(keywords=None, **options):
        return make((tuple((keywords or {}).items()), tuple(options.items()))).copy()

    return maker


@pytest.fixture(scope="session")
def wfc(wfc_refs):
    """Maker of raw WFC exposures in memory."""

    def maker(keywords=None, **options):
        chosen = {"seed": 1, "exptime": 50.0, "keywords": keywords or {}} | options
        return fits.as_exposure(sim.simulate("WFC", references=wfc_refs, **chosen).to_hdulist())

    return maker


@pytest.fixture(scope="session")
def observed(jref, hrc_refs, wfc_refs):
    """Maker of small exposures and associations in files."""
    return pipeline.Observed(jref, {"HRC": hrc_refs, "WFC": wfc_refs})
