"""Every benchmark runs, on inputs as small as they can be."""

import json
import os
import runpy
import shutil
import subprocess
import sys

import pytest

from helpers import ROOT

BENCHMARKS = ROOT / "benchmarks"
TASKS = {
    "acsccd": ["--aperture", "WFC1A-512"],
    "acs2d": ["--aperture", "WFC1A-512"],
    "acscte": ["--frames", "WFC1A-512:sparse-20"],
    "acsrej": ["--aperture", "WFC1A-512", "--lists", "2"],
    "calacs": ["--cases", "sbc", "--threads", "1,2"],
    "run": ["--inputs", "hrc", "--numbers", "1,2"],
    "startup": ["--programs", "calacs"],
}
SIZES = {"biasshift": "2068x64", "cte": "16x64", "destripe": "64x4144"}
KERNELS = sorted({path.stem.removeprefix("bench_") for path in BENCHMARKS.glob("bench_*.py")} - set(TASKS))

pytestmark = [
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not there"),
    pytest.mark.skipif(sys.platform != "linux", reason="the measuring is made for Linux"),
]


def environment():
    """No official programs: they are for the machine that measures."""
    return {name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the simulated files and the reference files that they share are kept."""
    folder = tmp_path_factory.mktemp("benchmarks")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("stem", KERNELS)
def test_a_kernel_is_measured(stem, tmp_path, monkeypatch, capsys):
    figures = tmp_path / "figures.json"
    script = BENCHMARKS / f"bench_{stem}.py"
    words = ["-n", "1", "--threads", "1,2", "--sizes", SIZES.get(stem, "64x64"), "--official", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(script), *words, "--json", str(figures)])
    # The module of that name is the benchmarks' here, and the tests' own elsewhere.
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.delitem(sys.modules, "helpers")
    runpy.run_path(str(script), run_name="__main__")
    measured = json.loads(figures.read_text())["kernels"][stem]
    assert all(row["ns"] > 0 for row in measured)
    assert "| ns per pixel |" in capsys.readouterr().out


@pytest.mark.parametrize("stem", TASKS)
def test_a_task_is_measured(stem, folder, tmp_path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, BENCHMARKS / f"bench_{stem}.py", "-n", "1", "--folder", folder, "--json", figures]
    words = [*TASKS[stem], "--official", tmp_path]
    finished = subprocess.run([*command, *words], env=environment(), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert set(json.loads(figures.read_text())) > {"conditions"}


def test_every_kernel_has_a_benchmark():
    stems = {path.stem for path in (ROOT / "src" / "calacs" / "_core").glob("*.pyx")} - {"common"}
    assert stems <= set(KERNELS)


def test_all_benchmarks_are_among_those_that_are_run_together(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.delitem(sys.modules, "helpers")
    runs = runpy.run_path(str(BENCHMARKS / "run_all.py"))["RUNS"]
    assert {words.split()[0] for words in runs.values()} == {*KERNELS, *TASKS}
