"""Reports in plain text."""

import pytest

from calacs import calacs, report
from calacs.errors import InvalidValue, ReferenceMissing
from calacs.refs import Problems
from pipeline import set_keywords

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")


def test_table():
    text = report.format_table([("a", "long heading"), ("longer cell", "x")])
    assert text.splitlines() == ["a            long heading", "-----------  ------------", "longer cell  x"]


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        ("HRC", ["HRC full frame", "40 s", "amplifiers C, gain 2", "image set 1: chip 1, 1062 columns x 1044 rows"]),
        ("SBC", ["SBC full frame", "F125LP", "60 s", "1024 columns x 1024 rows"]),
        ("WFC", ["WFC subarray", "(after Servicing Mission 4)", "readout DS_INT", "chip 1, 200 columns x 100 rows"]),
    ],
)
def test_exposures_are_described(detector, words, observed, tmp_path):
    options = {"subarray": None} if detector == "HRC" else {}
    text = report.describe_exposure(calacs.plan(observed.single(tmp_path, detector, **options)))
    for word in words:
        assert word in text
    assert ("amplifiers" in text) is (detector != "SBC")


def test_a_damaged_header_is_told(observed, tmp_path):
    path = observed.single(tmp_path, "HRC")
    set_keywords(path, CCDAMP="Z")
    plan = calacs.plan(path)
    assert "CCDAMP" in report.describe_exposure(plan)
    assert plan.problems.found


def test_steps_and_references(observed, tmp_path):
    dummy = observed.spoiled("WFC", "PFLTFILE", "dummy_flat", PEDIGREE="DUMMY 2000")
    plan = calacs.plan(observed.single(tmp_path, "WFC", {"PCTECORR": "PERFORM", "PFLTFILE": dummy}))
    tasks = [line.split("  ")[0] for line in report.describe_steps(plan).splitlines()[2:]]
    assert list(dict.fromkeys(tasks)) == ["acsccd", "acscte", "acs2d", "acs2d after acscte"]
    rows = {line.split()[0]: line for line in report.describe_references(plan).splitlines()[2:]}
    assert {"CCDTAB", "OSCNTAB", "PCTETAB", "DARKFILE", "DRKCFILE", "PFLTFILE"} <= set(rows)
    assert "FLATCORR will be skipped" in rows["PFLTFILE"] or "dummy" in rows["PFLTFILE"]
    assert rows["DRKCFILE"].endswith("good")
    assert len(rows) == len(report.describe_references(plan).splitlines()) - 2


def test_every_bad_reference_is_in_the_table(observed, tmp_path):
    missing = {"CCDTAB": "no_ccd.fits", "DARKFILE": "no_drk.fits"}
    rows = report.describe_references(calacs.plan(observed.single(tmp_path, "HRC", missing))).splitlines()[2:]
    verdicts = {row.split()[0]: row for row in rows}
    assert all(verdicts[keyword].endswith("see below") for keyword in missing)
    assert verdicts["PFLTFILE"].endswith("found, not checked further")
    assert len(verdicts) == len(rows)


def test_problems_are_numbered():
    problems = Problems([ReferenceMissing("DARKFILE: none"), InvalidValue("x")])
    problems.found[1].add_context("member a")
    assert report.describe_problems(problems) == "1. DARKFILE: none\n2. member a: x"
    assert report.count(problems) == "2 problems"
    assert report.count(Problems([InvalidValue("x")])) == "one problem"
