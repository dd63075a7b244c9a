"""Products against the digests of the official program's products.

``CALACS_GOLDEN=folder pytest tests/golden`` runs every case of the folder's ``cases.json`` through this package's file
doors.  Every data unit must be identical, every card too, but for those that name the software, the day or the file
system (the folder's ``compare.py`` knows them) and those in ``ALLOWED``.
"""

import functools
import gzip
import importlib
import importlib.util
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

GOLDEN = Path(os.environ.get("CALACS_GOLDEN", "."))
CASES = json.loads((GOLDEN / "cases.json").read_text())
INPUTS = {"acsrej_params": "hrc_crsplit", "forward_c512": "sub_a512", "gen2_d2k": "sub_d2k_pol"}
"""Cases whose inputs are those of another one."""

ALLOWED: dict[str, set[str]] = {"gen2_d2k": {"MEANBLEV"}}
"""Keywords whose cards may differ, by case, each with its reason in docs/differences.md."""
ALLOWED_HISTORY = {
    "gen2_d2k": {
        "BLEVCORR complete; bias level from overscan was subtracted.",
        "BLEVCORR complete, but default bias level was subtracted.",
        "    INFLIGHT 01/01/2010 31/12/2010",
        "    CCD parameters table, simulated",
        "    bad pixel table, simulated",
        "    overscan regions, simulated",
        "    Parallel CTE correction of generation 2, simulated",
    }
}
"""HISTORY lines that may be there or not, likewise."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning"),
    pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning"),
]


def _run(task, arguments):
    """Run the command of a case through the function of the task."""
    function = getattr(importlib.import_module(f"calacs.{task}"), task)
    if task != "acsrej":
        function(arguments[-1], quiet=True)
        return
    inputs, output, *options = arguments
    names = {"-sigmas": "crsigmas", "-radius": "crradius", "-init": "initgues", "-thresh": "crthresh"}
    given = {names[key]: value for key, value in zip(options[::2], options[1::2], strict=True)}
    if "crradius" in given:
        given["crradius"] = float(given["crradius"])
    function(inputs, output, **given)


def _products():
    for case in CASES:
        for folder in sorted((GOLDEN / case / "expected").iterdir()):
            for path in sorted(folder.glob("*.json")):
                if path.name != "run.json":
                    yield case, folder.name, path.stem


PRODUCTS = list(_products())


@functools.cache
def _compare():
    specification = importlib.util.spec_from_file_location("golden_compare", GOLDEN / "compare.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _unpack(source, target):
    with gzip.open(source) as packed, open(target, "wb") as file:
        shutil.copyfileobj(packed, file)


@pytest.fixture(scope="module", autouse=True)
def _references(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden_jref")
    for path in (GOLDEN / "jref").glob("*.gz"):
        _unpack(path, folder / path.stem)
    old = os.environ.get("jref")
    os.environ["jref"] = f"{folder}{os.sep}"
    yield
    shutil.rmtree(folder)
    os.environ.pop("jref")
    if old is not None:
        os.environ["jref"] = old


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the commands of a case once: folder of the products, and what went wrong."""
    last = []

    def run_case(case, folder):
        if last and last[0] == (case, folder):
            return last[1]
        if last:
            shutil.rmtree(last[1][0])
        target = tmp_path_factory.mktemp(f"{case}_{folder}")
        for path in (GOLDEN / INPUTS.get(case, case) / "in").glob("*.gz"):
            _unpack(path, target / path.stem)
        if case == "gen2_d2k":
            astropy_fits.setval(next(target.glob("*_raw.fits")), "PCTETAB", value="jref$sim1wfc_cte2.fits")
        failed = []
        here = Path.cwd()
        os.chdir(target)
        try:
            for command in CASES[case]["commands"]:
                program, *arguments = command.split()
                task = program.rpartition("/")[2].removesuffix(".e")
                if (task == "calacs") != (folder == "pipeline"):
                    continue
                try:
                    _run(task, arguments)
                except Exception as error:
                    failed.append(f"{command}: {type(error).__name__}: {error}")
        finally:
            os.chdir(here)
        last[:] = [(case, folder), (target, failed)]
        return last[1]

    return run_case


@pytest.mark.parametrize(("case", "folder", "product"), PRODUCTS, ids=["/".join(one) for one in PRODUCTS])
def test_the_product_is_the_official_one(run, case, folder, product):
    made, failed = run(case, folder)
    path = made / f"{product}.fits"
    assert path.exists(), failed
    expected = GOLDEN / case / "expected" / folder
    wanted = json.loads((expected / f"{product}.json").read_text())
    samples = np.load(expected / f"{product}.npz")
    differences = []
    with astropy_fits.open(path) as hdus:
        if len(hdus) != len(wanted["hdus"]):
            differences.append(f"{len(hdus)} units, expected {len(wanted['hdus'])}")
        for unit, hdu in zip(wanted["hdus"], hdus, strict=False):
            label = f"[{unit['name']},{unit['ver']}]"
            if "shape" in unit or "table" in unit or hdu.data is not None:
                sample = samples.get(str(unit["index"]))
                same, _, text = _compare().compare_hdu(unit, sample, hdu, wanted["stride"], 0.0)
                if not same:
                    differences.append(f"{label} {text}")
            differences += [f"{label} {text}" for text in _different_cards(unit, hdu, case)]
    assert not differences, "\n".join([*differences, *failed])


def _different_cards(unit, hdu, case):
    compare = _compare()
    allowed = ALLOWED.get(case, set())

    def value(card):
        return None if isinstance(card.value, astropy_fits.card.Undefined) else card.value

    want, want_history = compare.cards(unit["cards"])
    got, got_history = compare.cards([[card.keyword, value(card), card.comment] for card in hdu.header.cards])
    for keyword in sorted((set(want) | set(got)) - allowed):
        if keyword not in got:
            yield f"{keyword} is missing, expected {want[keyword]!r}"
        elif keyword not in want:
            yield f"{keyword} = {got[keyword]!r} is not expected"
        elif not compare.same_value(want[keyword], got[keyword]):
            yield f"{keyword} = {got[keyword]!r}, expected {want[keyword]!r}"
    optional = ALLOWED_HISTORY.get(case, set())
    want_history, got_history = (
        [line for line in lines if line not in optional] for lines in (want_history, got_history)
    )
    if want_history != got_history:
        yield f"HISTORY differs: {[line for line in got_history if line not in want_history]}"
