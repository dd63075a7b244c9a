"""The documents: code blocks run, and what they promise about the source holds."""

import os
import re
import shlex
import shutil
import warnings

import pytest

from calacs import cli, sim
from helpers import ROOT

DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("README.md"), *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
RAW = "j8bt05njq_raw.fits"
"""The exposure that the pages speak of."""

NEEDS = {"acstools-utilities.md": ("acstools", "stsci.tools", "scipy", "skimage", "photutils")}
"""Packages that the examples of a page need besides calacs; their warnings are their own business."""

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the documents are not there")


def blocks(page):
    return BLOCK.findall(page.read_text())


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    """Folder with the exposure that the pages speak of, and its reference files."""
    folder = tmp_path_factory.mktemp("examples")
    refs = sim.ReferenceSet("HRC")
    exposure = sim.simulate("HRC", seed=1, exptime=30.0, references=refs, rootname=RAW[:9])
    exposure.write(folder)
    refs.write(folder / "jref")
    del refs, exposure
    return folder


@pytest.fixture
def folder(examples, tmp_path, monkeypatch):
    """A fresh copy of the exposure to work in, beside the reference files."""
    shutil.copy(examples / RAW, tmp_path)
    (tmp_path / "jref").symlink_to(examples / "jref", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("jref", f"{tmp_path / 'jref'}{os.sep}")
    return tmp_path


def run_shell(text, monkeypatch):
    """Run the lines that call calacs; installations are for the continuous integration."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["calacs"] or words[1:2] == ["demo"]:
            continue
        try:
            status = cli.main(words[1:])
        except SystemExit as end:
            status = end.code
        assert status == 0, line


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
@pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")
def test_code_blocks_run(page, folder, monkeypatch):
    monkeypatch.setenv("imclobber", "yes")  # pages are read in any order, and show the same exposure more than once
    namespace = {"__name__": "__main__"}
    with warnings.catch_warnings():
        if page.name in NEEDS:
            warnings.simplefilter("ignore")
            for name in NEEDS[page.name]:
                pytest.importorskip(name)
        for number, (language, text) in enumerate(blocks(page), 1):
            if language == "sh":
                run_shell(text, monkeypatch)
            else:
                exec(compile(text, f"{page.name}, block {number}", "exec"), namespace)


def parity_files():
    for folder in ("src", "csrc"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".pyx", ".c", ".h") and "PARITY:" in path.read_text():
                yield path.relative_to(ROOT).as_posix()


@pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="the source is not there")
def test_every_oddity_that_is_kept_is_documented():
    text = (DOCS / "differences.md").read_text()
    missing = [path for path in parity_files() if f"`{path}`" not in text]
    assert not missing, (
        f"describe the PARITY: comments of {', '.join(missing)} in docs/differences.md, and name the files there"
    )


def test_files_that_pages_name_exist():
    for page in PAGES:
        for path in re.findall(r"`((?:src|csrc|tests|docs|benchmarks)/[\w./]+)`", page.read_text()):
            assert (ROOT / path).exists() or not (ROOT / path.split("/")[0]).is_dir(), f"{page.name}: {path}"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
