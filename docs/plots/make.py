"""Make the plots of the documentation from simulated exposures: ``python docs/plots/make.py [NAME ...]``; needs matplotlib.

Each function of `PLOTS` simulates, calibrates and draws; the image is written beside this file.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from calacs import acsccd, acsrej, calacs, sim
from calacs._core import blev as blev_core
from calacs.errors import CalacsWarning

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "benchmarks"))

from helpers import COLORS, STYLE  # noqa: E402

BLUE, ORANGE, GRAY = COLORS[:3]
plt.rcParams.update(STYLE)


def simulate(folder: Path, *arguments: Any, **options: Any) -> Any:
    """Simulate an exposure and write it, and its reference files, into a folder."""
    exposure = sim.simulate(*arguments, n_threads=2, **options)
    exposure.write_references(folder)
    return exposure.write(folder), exposure


def show(axes: Any, image: Any, title: str, low: float, high: float) -> Any:
    """Draw an image without axes."""
    axes.grid(False)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes.imshow(image, vmin=low, vmax=high, cmap="gray_r", interpolation="nearest", origin="lower")


def cte(folder: Path) -> Any:
    """Charge trails far from the register, before and after PCTECORR."""
    rng = np.random.default_rng(3)
    spots = np.zeros(
        (2048, 4096), np.float32
    )  # single pixels of 800 electrons; and brighter ones in the part that is shown
    rows, cols = rng.integers(1500, 2000, 1200), rng.integers(40, 4050, 1200)
    spots[rows, cols] = 800.0
    spots[rng.integers(1880, 1990, 40), rng.integers(1000, 1160, 40)] = 15000.0
    scene = sim.Scene(sky=0.03, star_density=1e-4, star_flux=(2.0, 60.0), images={2: spots / 500.0})
    effects = ("cte", "bias_level", "read_noise")
    path, _ = simulate(folder, "WFC", seed=11, exptime=500.0, mjd=60300.0, scene=scene, effects=effects)
    products = calacs.run(path, n_threads=2)
    planes = {name: products[name].imsets[0].sci for name in ("flt", "flc")}
    figure = plt.figure(figsize=(8.4, 5.6))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.25, 1.0))
    # Chip 2 is read toward row 0: its last rows are farthest from the register.
    cut = (slice(1885, 2000), slice(1000, 1160))
    titles = ("flt: charge trails away from the register", "flc: restored by PCTECORR")
    for column, (plane, title) in enumerate(zip(planes.values(), titles, strict=True)):
        axes = figure.add_subplot(grid[0, column])
        drawn = show(axes, plane[cut] - np.median(plane), title, -15, 50)
    figure.colorbar(drawn, ax=figure.axes, label="electron above the sky", shrink=0.9)
    axes = figure.add_subplot(grid[1, :])
    reach = np.arange(-5, 41)
    for name, color in (("flt", ORANGE), ("flc", BLUE)):
        plane = planes[name]
        profile = np.median([plane[row + reach, col] for row, col in zip(rows, cols, strict=True)], axis=0)
        profile -= np.median(plane[1500:2000])
        label = f"{name}: {profile[reach == 0][0]:.0f} electrons in the pixel itself"
        axes.plot(reach, profile, "o-", color=color, ms=3, lw=1.2, label=label)
    axes.axhline(0, color=GRAY, lw=0.8)
    axes.set(
        title="Median of 1200 pixels that received 800 electrons, in rows 1500 to 2000",
        xlabel="rows away from the register",
        ylabel="electron above the sky",
        ylim=(-6, 40),
    )
    axes.legend()
    return figure


def blev(folder: Path) -> Any:
    """Bias level by line, and the line that BLEVCORR subtracts."""
    path, _ = simulate(folder, "HRC", seed=4, exptime=60.0)
    record = next(r for r in acsccd.run(path).records if r.name == "BLEVCORR")
    before = acsccd.run(path, blevcorr="OMIT").imsets[0]
    fit = next(iter(record.values["fits"].values()))
    level, used = blev_core.rows(before.sci, before.dq, 0, 0, before.shape[0], [(2, 17)])
    n = fit.middle * 2
    lines = np.arange(n)
    levels, used = np.asarray(level)[:n], np.asarray(used)[:n].astype(bool)
    line = fit.intercept + fit.slope * (lines - fit.middle)
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8.4, 4.4), sharex=True, gridspec_kw={"height_ratios": (2, 1.2)})
    top.plot(lines[used], levels[used], ".", ms=2.5, color=GRAY, label="median of the overscan of the line")
    top.plot(
        lines,
        line,
        color=ORANGE,
        lw=2,
        label=f"fit: {fit.intercept:.2f} e- in line {fit.middle}, {fit.slope * 1000:+.2f} e- per 1000 lines",
    )
    top.set(title="Bias level of the HRC", ylabel="electron")
    top.set_ylim(top=top.get_ylim()[1] + 3)
    top.legend(loc="upper left", ncols=2)
    rest = levels - line
    bottom.plot(lines[used], rest[used], ".", ms=2.5, color=GRAY)
    smooth = np.convolve(rest, np.full(64, 1 / 64), mode="valid")
    bottom.plot(lines[32 : 32 + smooth.size], smooth, color=BLUE, lw=1.5, label="mean of 64 lines")
    bottom.axhline(0, color=ORANGE, lw=1)
    bottom.set(xlabel="line", ylabel="level - fit", ylim=(-4, 4))
    bottom.legend(loc="upper left", ncols=2)
    return figure


def destripe(folder: Path) -> Any:
    """Stripes of the WFC after SM4, before and after BLEVCORR."""
    effects = ("stripes", "bias_level", "read_noise")
    path, _ = simulate(folder, "WFC", seed=5, exptime=10.0, scene=sim.Scene.flat_field(0.0), effects=effects)
    after = acsccd.run(path, n_threads=2)
    before = acsccd.run(path, n_threads=2, blevcorr="OMIT")
    stripe = next(r for r in after.records if r.name == "BLEVCORR").values["stripe"]
    rows, width = slice(300, 460), 1920
    raw = before.imsets[0].sci[rows, 24 + 60 : 24 + 60 + width]
    new = after.imsets[0].sci[rows, 60 : 60 + width]
    # Averaged over 12 columns, or the read noise would hide the stripes.
    images = [(plane - np.median(plane)).reshape(160, -1, 12).mean(axis=2) for plane in (raw, new)]
    figure = plt.figure(figsize=(8.4, 5.2))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.3, 1.0))
    for column, (image, title) in enumerate(zip(images, ("before", "after BLEVCORR"), strict=True)):
        axes = figure.add_subplot(grid[0, column])
        drawn = show(axes, image, f"{title}: rms of rows {image.mean(axis=1).std():.2f} e-", -3, 3)
        axes.set_aspect("auto")
    figure.colorbar(drawn, ax=figure.axes, label="electron", shrink=0.9)
    axes = figure.add_subplot(grid[1, :])
    lines = np.arange(rows.start, rows.stop)
    means = raw.mean(axis=1)
    axes.plot(lines, means - np.median(means), color=GRAY, lw=1.4, label="mean of the row's pixels of one amplifier")
    axes.plot(
        lines,
        stripe[rows] - np.median(stripe[rows]),
        color=BLUE,
        lw=1.2,
        label="stripe measured in the bias columns of all four",
    )
    axes.set(xlabel="row", ylabel="electron")
    axes.set_ylim(top=axes.get_ylim()[1] * 1.5)
    axes.legend(ncols=2, loc="upper left")
    return figure


def cosmic_rays(folder: Path) -> Any:
    """One exposure of a split, what was rejected in it, and the combined image."""
    refs = sim.ReferenceSet("HRC", seed=1)
    scene = sim.Scene(star_density=6e-4, star_flux=(1.0, 60.0))
    pair = sim.simulate_association(
        "CR-SPLIT", "HRC", n_exposure=2, seed=9, exptime=600.0, scene=scene, references=refs
    )
    pair.write(folder)
    refs.write(folder)
    leveled = [acsccd.run(folder / member.filename) for member in pair.members]
    product = acsrej.combine(leveled, crsigmas="6.5,5.5,4.5", crradius=1.5, crthresh=0.55, initgues="min", crmask=True)
    rejected = (leveled[0].imsets[0].dq & 8192) != 0
    if not rejected.any():
        one, mean = leveled[0].imsets[0], product.imsets[0]
        rejected = one.sci - mean.sci / 2 > 4.5 * one.err
    cut = (slice(400, 620), slice(300, 520))
    figure, panels = plt.subplots(1, 3, figsize=(8.4, 3.1))
    single, combined = leveled[0].imsets[0].sci[cut], product.imsets[0].sci[cut] / 2
    sky = float(np.median(combined))
    show(panels[0], single - sky, "one of two exposures", -20, 120)
    show(panels[1], rejected[cut], f"rejected: {100 * rejected.mean():.1f} % of its pixels", 0, 1)
    show(panels[2], combined - sky, "combined by acsrej", -20, 120)
    return figure


PLOTS = {function.__name__: function for function in (cte, blev, destripe, cosmic_rays)}


def main(names: list[str]) -> None:
    """Make some of the plots, all of them by default."""
    warnings.simplefilter("ignore", CalacsWarning)
    for name in names or PLOTS:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["jref"] = f"{folder}{os.sep}"
            figure = PLOTS[name](Path(folder))
        path = HERE / f"{name}.png"
        figure.savefig(path, dpi=100, metadata={"Software": None})
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
