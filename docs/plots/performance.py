"""Write the figures of the benchmarks into the pages, and draw their plots: ``python docs/plots/performance.py [FILE]``.

FILE is what ``benchmarks/run_all.py`` wrote, by default ``benchmarks/results.json``.  The tables go between the marks
``<!-- NAME -->`` and ``<!-- end of NAME -->`` of ``README.md``, ``benchmarks/README.md`` and ``docs/performance.md``; the
plots lie beside this script.  Needs matplotlib.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from helpers import COLORS, STYLE, Way, draw_growth, table  # noqa: E402

PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md", ROOT / "docs" / "performance.md")
KERNEL_PARTS = ("smoothing", "trap map", "inversion", "recombination")
Row = dict[str, Any]


class Figures:
    """What was measured."""

    def __init__(self, path: Path) -> None:
        self.data = json.loads(path.read_text())

    def __getitem__(self, section: str) -> dict[str, Any]:
        return self.data.get(section, {})

    def runs(self, key: str) -> list[Row]:
        """Runs of a case, or none."""
        return self["cases"].get(key, {"runs": []})["runs"]

    def run(self, key: str, how: str, threads: int = 1) -> Row | None:
        """One of them."""
        return next((r for r in self.runs(key) if r["how"] == how and r["threads"] in (threads, 0)), None)

    def growth(
        self, series: str, size: str, label: Callable[[Row], str | None]
    ) -> dict[str, list[tuple[float, float]]]:
        """Wall time against the size of the cases of a series."""
        curves: dict[str, list[tuple[float, float]]] = {}
        for case in self["cases"].values():
            for run in case["runs"] if case["series"] == series else ():
                name = label(run)
                if name:
                    curves.setdefault(name, []).append((case[size], run["wall"]))
        return {name: sorted(points) for name, points in curves.items()}


# Tables


def times(more: float, less: float) -> str:
    """How many times less."""
    return f"{more / less:.1f} times less"


def conditions(figures: Figures) -> str:
    """Machine and versions, in a sentence."""
    c = figures["conditions"]
    official = f"; official {c['official']}" if c.get("official") else ""
    return (
        f"*Measured on {c['date']}: {c['processor']}, {c['cpus']} processors, {c['platform']}; calacs {c['calacs']} "
        f"compiled by {c['compiler']}, CTE kernels for {c['isa']}; Python {c['python']}, numpy {c['numpy']}{official}"
        f"{'; ' + c['note'] if c.get('note') else ''}.*"
    )


def summary(figures: Figures) -> str:
    """The main figures."""
    rows: list[Sequence[str]] = [("one thread each", "official", "calacs", "wall", "CPU", "memory")]
    for key, title in (
        ("calacs-flc", "WFC full frame, raw to `flt` and `flc` (CTE correction)"),
        ("calacs-crsplit", "WFC CR-SPLIT pair, raw to `flt`, `flc`, `crj`, `crc`"),
        ("calacs-flt", "WFC full frame, raw to `flt`, as a command"),
        ("calacs-flt", "the same, in a process that runs already"),
    ):
        how = "in process" if "process" in title else "as a command"
        ours, theirs = figures.run(key, how), figures.run(key, "official")
        if ours and theirs:
            cells = (f"{theirs['wall']:.1f} s", f"{ours['wall']:.1f} s")
            less = (times(theirs[what], ours[what]) for what in ("wall", "cpu"))
            rows.append((title, *cells, *less, f"{ours['peak']:.0f} instead of {theirs['peak']:.0f} MB"))
    return table(rows)


def goals(figures: Figures) -> str:
    """What was wanted, and whether it is met."""
    rows: list[Sequence[str]] = [("goal", "limit", "measured", "")]
    for goal, g in figures["goals"].items():
        rows.append((goal, g["limit"], f"{g['measured']:.2f}", "met" if g["met"] else "**missed**"))
    return table(rows)


def case_table(figures: Figures, keys: Sequence[str]) -> str:
    """Cases with all their runs; ratios to the official program with as many threads."""
    rows: list[Sequence[str]] = [("", "run", "wall s", "median", "CPU s", "median", "peak MB", "wall", "CPU", "memory")]
    for key in keys:
        title = figures["cases"].get(key, {}).get("title", "")
        for run in figures.runs(key):
            official = figures.run(key, "official", run["threads"]) or figures.run(key, "official")
            ratios: tuple[str, ...] = ("", "", "")
            if official and run["how"] != "official":
                ratios = (*(f"{run[what] / official[what]:.3f}" for what in ("wall", "cpu", "peak")),)
            cells = (f"{run[what]:.2f}" for what in ("wall", "median_wall", "cpu", "median_cpu"))
            rows.append((title, str(Way(run["how"], run["threads"])), *cells, f"{run['peak']:.0f}", *ratios))
            title = ""
    return table(rows)


def keys_of(figures: Figures, *starts: str) -> list[str]:
    """Cases whose keys start so."""
    return [key for start in starts for key in figures["cases"] if key.startswith(start)]


def steps(figures: Figures) -> str:
    """Wall time by step of the full frame, without and with CTE correction."""
    tables = []
    for key, title in (("flt", "raw to flt"), ("flc", "raw to flt and flc")):
        measured = figures["steps"].get(key)
        if not measured:
            continue
        one, two = measured["1"], measured.get("2", measured["1"])
        total = sum(row[2] for row in one)
        rows: list[Sequence[str]] = [(f"WFC full frame, {title}", "step", "s, 1 thread", "s, 2 threads", "share")]
        for (task, step, seconds), (_, _, with_two) in zip(one, two, strict=True):
            if seconds >= 0.001:
                rows.append((task, step, f"{seconds:.3f}", f"{with_two:.3f}", f"{seconds / total:.1%}"))
        rows.append(("", "all", f"{total:.3f}", f"{sum(row[2] for row in two):.3f}", ""))
        tables.append(table(rows))
    return "\n\n".join(tables)


def parts(figures: Figures) -> str:
    """Where the CPU time of the CTE correction goes; how many times less the kernels need than the official task."""
    rows: list[Sequence[str]] = []
    for frame, by_isa in figures["parts"].items():
        official = figures.run(f"acscte-{frame.replace(':', '-')}", "official")
        title = frame.replace(":", ", ")
        for isa, spent in by_isa.items():
            rows = rows or [("frame", "instructions", *spent, "all", "official", "kernels, times less")]
            cells = (f"{seconds:.2f}" for seconds in (*spent.values(), sum(spent.values())))
            less = f"{official['cpu'] / sum(spent[part] for part in KERNEL_PARTS):.1f}" if official else ""
            rows.append((title, isa, *cells, f"{official['cpu']:.1f}" if official and title else "", less))
            title = ""
    return table(rows) if rows else ""


def largest(figures: Figures) -> Iterator[tuple[str, Row, Row | None]]:
    """Kernels at the largest size: stem, with one thread, with two."""
    for stem, rows in figures["kernels"].items():
        for row in rows:
            if row["threads"] == 1 and not any(
                other["kernel"] == row["kernel"] and other["n_row"] * other["n_col"] > row["n_row"] * row["n_col"]
                for other in rows
            ):
                same = ("kernel", "n_row", "n_col")
                two = (r for r in rows if r["threads"] == 2 and all(r[key] == row[key] for key in same))
                yield stem, row, next(two, None)


def kernels(figures: Figures) -> str:
    """ns per pixel."""
    rows: list[Sequence[str]] = [("kernel", "", "image", "ns per pixel", "2 threads", "GB/s", "share of a memory copy")]
    for stem, one, two in largest(figures):
        image = f"{one['n_row']} x {one['n_col']}"
        cells = (f"{one['ns']:.2f}", f"{two['ns']:.2f}" if two else "", f"{one['gb_per_s']:.1f}", f"{one['share']:.0%}")
        rows.append((stem, one["kernel"], image, *cells))
    return table(rows)


def memory(figures: Figures) -> str:
    """Memory of many exposures in one process."""
    rows: list[Sequence[str]] = [("exposures in one process", "MB after 1", "after 3", "after the last")]
    for key, peaks in figures["memory"].items():
        title = next((c["title"] for k, c in figures["cases"].items() if k == f"run-{key}-{len(peaks)}"), key)
        rows.append((title, f"{peaks[0]:.0f}", f"{peaks[min(2, len(peaks) - 1)]:.0f}", f"{peaks[-1]:.0f}"))
    return table(rows)


BLOCKS: dict[str, Callable[[Figures], str]] = {
    "conditions": conditions,
    "summary": summary,
    "goals": goals,
    "pipeline": lambda f: case_table(f, keys_of(f, "calacs-")),
    "tasks": lambda f: case_table(f, keys_of(f, "acsccd", "acs2d", "acsrej", "acscte")),
    "single steps": lambda f: case_table(f, keys_of(f, "step-")),
    "many": lambda f: case_table(f, [k for k in keys_of(f, "run-") if k.endswith(("-1", "-20"))]),
    "memory": memory,
    "steps": steps,
    "parts": parts,
    "kernels": kernels,
}


# Plots


def one_thread(run: Row) -> str | None:
    """Name of the curve of runs with one thread."""
    return run["how"] if run["threads"] == 1 else None


def pixels(figures: Figures) -> Any:
    """Cost against pixels."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.6))
    for axes, series, title in zip(panels, ("flt", "flc"), ("Raw to flt", "Raw to flt and flc"), strict=True):
        draw_growth(axes, title, "pixels", "wall seconds, one thread", figures.growth(series, "pixels", one_thread))
        if axes.lines:
            axes.legend(fontsize=8)
    return figure


def exposures(figures: Figures) -> Any:
    """Cost against exposures."""
    figure, panels = plt.subplots(1, 3, figsize=(8.4, 3.6))
    curves = figures.growth("acsrej", "exposures", one_thread)
    draw_growth(panels[0], "acsrej, WFC full frames", "exposures", "wall seconds", curves)
    for axes, key, title in zip(panels[1:], ("wfc", "hrc"), ("WFC, raw to flt", "HRC, raw to flt"), strict=True):
        curves = figures.growth(f"run-{key}", "exposures", one_thread)
        draw_growth(axes, title, "exposures", "wall seconds", curves)
    for axes in panels:
        axes.set_ylim(top=axes.get_ylim()[1] * 12)
        if axes.lines:
            axes.legend(fontsize=7, loc="upper left")
    return figure


def cte(figures: Figures) -> Any:
    """Parts of the CTE correction, by instruction set, by rows, and by field."""
    measured = figures["parts"]
    figure, panels = plt.subplots(1, 3, figsize=(8.4, 3.6))
    if not measured:
        return figure
    model = measured.get("full:sparse-20") or next(iter(measured.values()))
    names = [*KERNEL_PARTS, *(name for name in next(iter(model.values())) if name not in KERNEL_PARTS)]
    bottom = np.zeros(len(model))
    for color, name in zip(COLORS, names, strict=False):
        height = np.array([spent[name] for spent in model.values()])
        panels[0].bar(list(model), height, 0.6, bottom, color=color, label=name)
        bottom += height
    panels[0].set(title="By instruction set", ylabel="CPU seconds, one thread")
    panels[0].legend(fontsize=7)
    curves: dict[str, list[tuple[float, float]]] = {}
    for frame, by_isa in measured.items():
        aperture, _, field = frame.partition(":")
        rows = {"WFC1A-512": 512, "WFC1A-1K": 1024, "WFC1A-2K": 2068}.get(aperture)
        if rows and field == "sparse-20":
            spent = list(by_isa.values())[-1]
            for part in KERNEL_PARTS:
                curves.setdefault(part, []).append((rows, spent[part]))
    draw_growth(panels[1], "One amplifier, by rows", "rows of 2072 columns", "CPU seconds", curves)
    panels[1].legend(fontsize=7)
    full = sorted((f for f in measured if f.startswith("full:")), key=lambda f: ("crowded" in f, int(f.split("-")[1])))
    fields = {f.partition(":")[2].replace("-", ", "): list(measured[f].values())[-1] for f in full}
    place = np.arange(len(fields))
    for shift, part in ((-0.2, "smoothing"), (0.2, "inversion")):
        color = COLORS[KERNEL_PARTS.index(part)]
        panels[2].bar(place + shift, [spent[part] for spent in fields.values()], 0.38, color=color, label=part)
    panels[2].set_xticks(place, list(fields), rotation=40, ha="right", fontsize=7)
    panels[2].set(title="By field and sky (e-)", ylabel="CPU seconds")
    panels[2].legend(fontsize=7)
    return figure


def bars(figures: Figures) -> Any:
    """ns per pixel of every kernel but those of the CTE correction."""
    found = [(f"{stem}: {one['kernel']}", one, two) for stem, one, two in largest(figures) if stem != "cte"]
    found.sort(key=lambda item: -item[1]["ns"])
    figure, axes = plt.subplots(figsize=(8.4, 0.19 * len(found) + 1.0))
    place = np.arange(len(found))
    copy = [one["ns"] * one["share"] for _, one, _ in found]
    axes.barh(place, [one["ns"] for _, one, _ in found], 0.7, color=COLORS[0], label="one thread")
    both = [(i, two["ns"]) for i, (_, _, two) in enumerate(found) if two]
    axes.plot([ns for _, ns in both], [i for i, _ in both], "o", color=COLORS[1], ms=4, label="two threads")
    axes.plot(copy, place, "|", color="black", ms=9, mew=1.6, label="plain copy of as many bytes")
    axes.set_yticks(place, [name for name, _, _ in found], fontsize=7)
    axes.set(xscale="log", xlabel="ns per pixel", title="Kernels, largest image", ylim=(-0.7, len(found) - 0.3))
    axes.legend(loc="upper right", fontsize=8)
    return figure


def where(figures: Figures) -> Any:
    """Wall time by step, of a full frame with and without CTE correction; what is small is joined."""
    cases = [(key, figures["steps"][key]["1"]) for key in ("flt", "flc") if key in figures["steps"]]
    n = max(len(cases), 1)
    figure, panels = plt.subplots(n, 1, figsize=(8.4, 1.7 * n), squeeze=False)
    for axes, (key, rows) in zip(panels[:, 0], cases, strict=False):
        total, left = sum(row[2] for row in rows), 0.0
        joined: dict[str, float] = {}
        for task, step, seconds in rows:
            name = f"{task} {step}".strip()
            joined[name] = joined.get(name, 0.0) + seconds
        large = {name: seconds for name, seconds in joined.items() if seconds >= 0.05 * total}
        large["others"] = total - sum(large.values())
        for color, (name, seconds) in zip([*(2 * COLORS)[: len(large) - 1], "#c9ced6"], large.items(), strict=True):
            axes.barh(0, seconds, 0.5, left, color=color)
            axes.text(left + seconds / 2, 0.32, name.replace(" ", "\n"), ha="center", va="bottom", fontsize=6.5)
            left += seconds
        title = {"flt": "raw to flt", "flc": "raw to flt and flc"}[key]
        axes.set(yticks=[], ylim=(-0.35, 1.2), xlabel="wall seconds, one thread", title=f"WFC full frame, {title}")
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
    return figure


PLOTS: dict[str, Callable[[Figures], Any]] = {
    "pixels": pixels,
    "exposures": exposures,
    "cte": cte,
    "kernels": bars,
    "steps": where,
}


def main(path: Path) -> None:
    """Write the tables and draw the plots."""
    figures = Figures(path)
    for page in PAGES:
        text = page.read_text()
        for name, block in BLOCKS.items():
            marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
            if marks.search(text):
                content = block(figures)
                if content.count("\n") == 1:
                    content = "*Not measured.*"
                text = marks.sub(lambda found, content=content: f"{found[1]}\n{content}\n\n{found[2]}", text)
        page.write_text(text)
    plt.rcParams.update(STYLE)
    for name, draw in PLOTS.items():
        target = HERE / f"performance_{name}.png"
        draw(figures).savefig(target, dpi=100, metadata={"Software": None})
        Image.open(target).convert("RGB").quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "benchmarks" / "results.json")
