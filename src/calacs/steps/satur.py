"""Full-well saturation flags; done when both BIASCORR and BLEVCORR are.

Units   electron (flags only).
Refs    SATUFILE.
Kernel  csrc/satur.c.
Origin  HSTCAL acsccd/dofwsat.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from calacs._core import satur as core
from calacs.detector import Geometry
from calacs.dq import DQ
from calacs.exposure import ImSet
from calacs.parallel import run_parallel
from calacs.refs import Section
from calacs.step import Job, Result, State, step


@dataclass(frozen=True, slots=True)
class SaturationArea:
    """Saturation levels under an image, and the part of it that is tested.

    Attributes
    ----------
    section : Section
        Where the levels are.
    rows, cols : tuple of int
        Part of the image, half-open.
    """

    section: Section
    rows: tuple[int, int]
    cols: tuple[int, int]


@step("saturation", switch=False)
def satur(job: Job, areas: list[SaturationArea] | None) -> Result:
    """Flag pixels above the full-well limit."""
    if areas is None:
        job.warn("no full-well saturation flags: BIASCORR and BLEVCORR are not both performed")
        return Result()
    calls = [partial(_flag, *pair) for pair in zip(job.exposure.imsets, areas, strict=True)]
    return Result({"n_saturated": run_parallel(calls, job.n_threads)})


def _flag(imset: ImSet, area: SaturationArea) -> int:
    n = 0
    for rows, (level,) in area.section.blocks("SCI"):
        tested = max(area.rows[0] - rows.start, 0), min(area.rows[1], rows.stop) - rows.start
        if tested[0] < tested[1]:
            n += core.flag(imset.sci[rows], imset.dq[rows], level, tested, area.cols, DQ.SATURATED)
    return n


@satur.preflight
def find_areas(job: Job) -> list[SaturationArea] | None:
    """Find each image set in the saturation image.

    PARITY: in subarrays the tested part starts at the first column and row of the overscan, so that as many illuminated
    columns and rows at the other end are never tested.
    """
    performed = [switch for switch in ("BIASCORR", "BLEVCORR") if job.states[switch] is State.PERFORM]
    if len(performed) < 2:
        return None
    reference = job.refs.require("SATUFILE")
    areas = []
    for chip in job.chips:
        section = reference.section(chip.imset)
        n_row, n_col = chip.imset.shape
        trim_x, trim_y = (chip.overscan.trim_x, chip.overscan.trim_y) if chip.overscan else ((0, 0), (0, 0))
        x, y = (abs(c) for c in Geometry.of(chip.imset.header["SCI"], chip.imset.shape).corner)
        if not section.alignment.same:
            x = y = 0
        rows = y, min(y + n_row - sum(trim_y), n_row)
        cols = x, min(x + n_col - sum(trim_x), n_col)
        areas.append(SaturationArea(section, rows, cols))
    return areas
