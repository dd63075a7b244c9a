"""PCTECORR: restore the charge that traps took away during the readout, or simulate what they do.

Units   electron -> electron.
Refs    PCTETAB (traps), CCDTAB (read noise, borders of the amplifiers).
Kernel  csrc/cte.c, csrc/cte_readout.c, csrc/cte_smooth.c, through `calacs.cte`.
Origin  HSTCAL acscte/docte.c, dopcte-gen3.c (at tag 2.7.4 dopcte-gen2.c), ctegen2/ctehelpers.c.

The pixels of each amplifier are corrected first along rows (serial; tables of generation 3, exposures after SM4), then
along columns (parallel).  Amplifiers share no pixel and are independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import cte, ctetab
from calacs._core import cte as core
from calacs.ctemodel import FloatImage
from calacs.ctetab import CteTable, TrapSet
from calacs.errors import HeaderProblem, InvalidValue, TableError, Unsupported
from calacs.exposure import ImSet
from calacs.header import Header
from calacs.observation import AMPS
from calacs.parallel import Report, run_reporting
from calacs.step import Job, Result, step

AMPS_AT_ONCE = 2
"""More at a time would need more memory than twice the exposure."""
FIRST_COLUMN = {"C": 0, "D": 0, "A": 4096, "B": 4096}
"""Column number in SCLBYCOL of the first column of an amplifier's chip: amplifiers C, D, A, B lie side by side."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Traps and parameters in force for one direction of one amplifier.

    Attributes
    ----------
    direction : str
        "serial" or "parallel".
    traps : TrapSet
        From the table.
    n_tail, n_iteration, n_transfer : int
        PCTETLEN, PCTENFOR, PCTENPAR.
    fix_cosmic_rays : bool
        FIXROCR.
    oversubtraction : float
        PCTETRSH, in electron.
    fraction : float
        Trap density relative to that of the table (PCTEFRAC).
    """

    direction: str
    traps: TrapSet
    n_tail: int
    n_iteration: int
    n_transfer: int
    fix_cosmic_rays: bool
    oversubtraction: float
    fraction: float

    def model(self) -> cte.TrapModel:
        """Model that the kernels take."""
        return cte.TrapModel(
            self.traps.charge,
            self.traps.capture,
            self.traps.release[: self.n_tail].T,
            self.traps.held[: self.n_tail].T,
            n_transfer=self.n_transfer,
            n_iteration=self.n_iteration,
            fix_cosmic_rays=self.fix_cosmic_rays,
            oversubtraction=self.oversubtraction,
        )


@dataclass(frozen=True, slots=True)
class AmpArea:
    """The part of an image that one amplifier read.

    Attributes
    ----------
    amp : str
        Letter of the amplifier.
    number : int
        Place of the image set in the exposure.
    cols : tuple of int
        Columns of the image, half-open; all rows belong to it.
    first : int
        Number in SCLBYCOL of the column nearest to the amplifier.
    read_noise : float
        In electron.
    """

    amp: str
    number: int
    cols: tuple[int, int]
    first: int
    read_noise: float

    def view(self, plane: NDArray[np.float32], direction: str) -> NDArray[np.float32]:
        """Pixels as the kernels take them: (n_col, n_row), row 0 nearest to the register; a view, not a copy.

        PARITY: serial "columns" are counted from the row that is farthest from the amplifier.
        """
        part = plane[:, self.cols[0] : self.cols[1]]
        part = part[::-1] if self.amp in "AB" else part
        part = part[:, ::-1] if self.amp in "BD" else part
        return part[::-1] if direction == "serial" else part.T


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the step needs, found before the first pixel changes.

    Attributes
    ----------
    table : CteTable
        PCTETAB.
    parallel : Pass
        Parallel direction of every amplifier.
    serial : dict of str to Pass
        Serial direction by amplifier, in the order of the corrections; empty where there is none.
    areas : tuple of AmpArea
        The amplifiers, in the order of the official program.
    """

    table: CteTable
    parallel: Pass
    serial: dict[str, Pass]
    areas: tuple[AmpArea, ...]

    def passes(self, amp: str) -> list[Pass]:
        """Passes over the pixels of an amplifier.

        PARITY: a simulated readout goes the same way, serial before parallel, although the detector does the opposite.
        """
        return [one for one in (self.serial.get(amp), self.parallel) if one is not None]


def amp_areas(
    ccdamp: str, chip: int, n_col: int, amp_x: int, number: int, read_noise: tuple[float, ...]
) -> list[AmpArea]:
    """Divide an image among the amplifiers that read it.

    Parameters
    ----------
    ccdamp : str
        Letters of the amplifiers used for the exposure.
    chip, n_col, number : int
        Chip number, width and place of the image.
    amp_x : int
        First column of the second amplifier, 0 where one amplifier reads all.
    read_noise : tuple of float
        Of amplifiers A to D.

    Raises
    ------
    TableError
        Two amplifiers are said to have read the same columns.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acscte/dopcte.c``, ``parseamps.c``.  PARITY: a lone amplifier B or D takes the column
    scaling of A or C, and subarrays count as if they touched the readout corner of their amplifier.
    """
    amps = [amp for amp in ("CD" if chip == 2 else "AB") if amp in ccdamp]
    if len(amps) == 2 and amp_x == 0:
        raise TableError(
            f"CCDTAB gives AMPX = 0 for CCDAMP={ccdamp!r} CCDCHIP={chip}, but two amplifiers read the chip; set the column"
        )
    areas = []
    for k, amp in enumerate(amps):
        cols = (0, min(amp_x, n_col) if amp_x else n_col) if k == 0 else (amp_x, n_col)
        areas.append(AmpArea(amp, number, cols, cols[0] + FIRST_COLUMN[amp], read_noise[AMPS.index(amp)]))
    return [area for area in areas if area.cols[1] > area.cols[0]]


def correct_area(
    imset: ImSet,
    area: AmpArea,
    passes: list[Pass],
    *,
    simulate: bool = False,
    n_threads: int = 1,
    report: Report,
    buffers: list[FloatImage] | None = None,
) -> dict[str, cte.Correction]:
    """Correct the pixels of one amplifier and their uncertainties, in place.

    Parameters
    ----------
    imset : ImSet
        Trimmed image in electron; DQ is not looked at.
    area : AmpArea
        The amplifier.
    passes : list of Pass
        What is corrected, in order.
    simulate : bool
        Simulate the readout instead.
    n_threads : int
        Threads to use; the result does not depend on it.
    report : callable
        Called with texts on the progress; an exception from it ends the work.
    buffers : list of three 1-D float32 arrays, optional
        Memory to work in, at least as many elements each as the amplifier has pixels.

    Returns
    -------
    dict of str to Correction
        What was done, by direction.
    """
    if buffers is None:
        buffers = new_buffers(area.view(imset.sci, "parallel").size)
    done = {}
    for one in passes:
        progress = _percent(f"amp {area.amp} {one.direction}", report)
        done[one.direction] = _correct_direction(imset, area, one, simulate, n_threads, progress, buffers)
    return done


def new_buffers(size: int) -> list[FloatImage]:
    """Memory for the passes over an amplifier of so many pixels; used again, it spares the system clearing new pages."""
    return [np.empty(size, np.float32) for _ in range(3)]


def _correct_direction(
    imset: ImSet,
    area: AmpArea,
    one: Pass,
    simulate: bool,
    n_threads: int,
    progress: cte.Progress,
    buffers: list[FloatImage],
) -> cte.Correction:
    """One pass.  `calacs.cte.correct` needs the traps from the start, and so a fourth buffer for each amplifier at work."""
    sci, err = (area.view(plane, one.direction) for plane in (imset.sci, imset.err))
    shape = (sci.shape[0], sci.shape[1])
    pixels, *work = (buffer[: sci.size].reshape(shape) for buffer in buffers)
    core.gather(sci, pixels)
    if simulate:
        before, (density, image) = cte.Smoothed(pixels, 0, 0.0), work
    else:
        before = cte.smooth(pixels, area.read_noise, n_threads=n_threads, progress=progress, work=(work[0], work[1]))
        density, image = work[0] if before.image is work[1] else work[1], pixels
    cte.trap_map(shape, one.traps.index, one.traps.nodes, first=area.first, fraction=one.fraction, out=density)
    if simulate:
        cte.forward(pixels, density, one.model(), n_threads=n_threads, progress=progress, out=image)
        n_repeated = 0
    else:
        restored = cte.inverse(
            before.image, density, one.model(), area.read_noise, n_threads=n_threads, progress=progress, out=image
        )
        n_repeated = int((restored.n_run > 1).sum())
    cte.combine(image, before.image, sci, err)
    return cte.Correction(before.n_iteration, before.rms, n_repeated)


def _percent(what: str, report: Report) -> cte.Progress:
    """Turn counts into texts, one for each tenth; calls between them let a cancelled run end."""
    last = ""

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last
        text = f"{what}: {stage} {10 * (10 * done // max(total, 1))} %"
        report(text if text != last else None)
        last = text

    return progress


@step("PCTECORR", refs=("PCTETAB",))
def pcte(job: Job, plan: Plan) -> Result:
    """Restore the charge, amplifier by amplifier."""
    return _apply(job, plan, simulate=False)


@step("PCTECORR", refs=("PCTETAB",))
def readout(job: Job, plan: Plan) -> Result:
    """Simulate the readout, amplifier by amplifier."""
    return _apply(job, plan, simulate=True)


@pcte.preflight
def plan_correction(job: Job) -> Plan:
    """Read the table and find the parameters in force; no pixel is looked at."""
    plan = _plan(job)
    for area in plan.areas:
        if not (math.isfinite(area.read_noise) and area.read_noise > 0.0):
            row = job.chips[area.number].ccd.row.number
            raise TableError(
                f"{job.refs['CCDTAB']}: READNSE{area.amp} = {area.read_noise:g} in row {row}; "
                f"the CTE correction needs it: give the read noise in electrons there, or by readnse{area.amp.lower()}=..."
            )
    noise_model = _replaced(job, "PCTENSMD", _whole_number(job.exposure.primary, "PCTENSMD"), plan.table.noise_model)
    if noise_model != 0:
        raise Unsupported(
            f"PCTETAB {plan.table.source}: PCTENSMD = {noise_model}: only the noise model 0 exists; set it to 0"
        )
    return plan


@readout.preflight
def plan_readout(job: Job) -> Plan:
    """Read the table and find the parameters in force; no pixel is looked at.

    PARITY: neither the read noise nor the noise model is checked, since a readout uses neither.
    """
    return _plan(job)


def _plan(job: Job) -> Plan:
    table = ctetab.read(job.refs["PCTETAB"].source)
    areas = [
        area
        for number, chip in enumerate(job.chips)
        for area in amp_areas(
            job.observation.ccdamp, chip.imset.chip, chip.imset.shape[1], chip.ccd.amp_x, number, chip.ccd.read_noise
        )
    ]
    override = Override(job)
    parallel = override.in_force("parallel", table, table.parallel)
    has_serial = bool(table.serial) and job.observation.post_sm4
    serial = {area.amp: override.in_force("serial", table, table.serial[area.amp]) for area in areas if has_serial}
    return Plan(table, parallel, serial, tuple(areas))


class Override:
    """Parameters of the exposure's header that replace those of the table, and parameters given by the caller.

    PARITY: after the parallel pass its parameters are written into the header where that has the keywords, and are
    read again for the serial pass; so are those of each amplifier for the next one.

    Notes
    -----
    Algorithm: HSTCAL ``ctegen2/ctehelpers.c`` (``getCTEParsFromImageHeader``), ``acscte/docte.c``.
    """

    KEYWORDS = ("PCTETLEN", "PCTENFOR", "PCTENPAR")

    def __init__(self, job: Job) -> None:
        self._job = job
        primary = job.exposure.primary
        self._header = {
            keyword: value for keyword in self.KEYWORDS if (value := _whole_number(primary, keyword)) is not None
        }
        self._fix = ctetab.zero_or_one(primary, "FIXROCR") if _whole_number(primary, "FIXROCR") is not None else None

    def _whole(self, keyword: str, of_table: int) -> int:
        in_header = self._header.get(keyword, 0)
        value = _replaced(self._job, keyword, in_header if in_header > 1 else None, of_table)
        if keyword in self._header:
            self._header[keyword] = value
        return value

    def in_force(self, direction: str, table: CteTable, traps: TrapSet) -> Pass:
        """Parameters of one pass; to be called in the order of the passes."""
        given = self._job.refs["PCTETAB"].replaced
        traps = replace(
            traps, date0=float(given.get("CTEDATE0", traps.date0)), date1=float(given.get("CTEDATE1", traps.date1))
        )
        n_tail, n_iteration, n_transfer = (
            self._whole(keyword, value)
            for keyword, value in zip(self.KEYWORDS, (traps.n_tail, traps.n_iteration, traps.n_transfer), strict=True)
        )
        if n_tail > traps.n_profile:
            raise InvalidValue(
                f"{traps.where}: the profiles end after {traps.n_profile} pixels, PCTETLEN = {n_tail} in the header of "
                f"{self._job.exposure.name} or given by the caller is longer; use a smaller one"
            )
        span = traps.date1 - traps.date0
        if not (math.isfinite(span) and span != 0.0):
            raise InvalidValue(
                f"{traps.where}: CTEDATE0 = {traps.date0}, CTEDATE1 = {traps.date1}: the dates must differ"
            )
        fraction = traps.fraction(self._job.observation.expstart)
        return Pass(
            direction,
            traps,
            n_tail,
            n_iteration,
            n_transfer,
            bool(_replaced(self._job, "FIXROCR", self._fix, table.fix_cosmic_rays)),
            float(given.get("PCTETRSH", table.oversubtraction)),
            fraction,
        )


def _whole_number(header: Header, keyword: str) -> int | None:
    """A keyword that replaces a parameter of the table: its value, or None where the header has no such keyword.

    Raises
    ------
    HeaderProblem
        It is not a whole number.
    """
    if keyword not in header:
        return None
    if header.get(keyword) is None:
        raise HeaderProblem(f"{header.where}: {keyword} has no value; give a whole number or remove the keyword")
    return header.get_int(keyword)


def _replaced(job: Job, keyword: str, in_header: int | None, of_table: int) -> int:
    """Value in force: the caller's, else the header's, else the table's."""
    value = job.refs["PCTETAB"].replaced.get(keyword)
    if value is None:
        return of_table if in_header is None else in_header
    lowest, highest = {"FIXROCR": (0, 1), "PCTENSMD": (0, 0)}.get(keyword, (1, 2**31 - 1))
    if int(value) != value or not lowest <= value <= highest:
        what = {"FIXROCR": "0 or 1", "PCTENSMD": "0"}.get(keyword, "a whole number, 1 or more")
        raise InvalidValue(f"{keyword.lower()}={value!r} is invalid; give {what}")
    return int(value)


def _apply(job: Job, plan: Plan, *, simulate: bool) -> Result:
    _warn(job, plan)
    imsets = job.exposure.imsets

    largest = max(area.view(imsets[area.number].sci, "parallel").size for area in plan.areas) if plan.areas else 0
    idle: SimpleQueue[list[FloatImage]] = SimpleQueue()

    def task(area: AmpArea) -> Callable[[int, Report], dict[str, cte.Correction]]:
        def correct(n_threads: int, report: Report) -> dict[str, cte.Correction]:
            try:
                buffers = idle.get_nowait()
            except Empty:
                buffers = new_buffers(largest)
            imset, passes = imsets[area.number], plan.passes(area.amp)
            done = correct_area(
                imset, area, passes, simulate=simulate, n_threads=n_threads, report=report, buffers=buffers
            )
            idle.put(buffers)
            return done

        return correct

    done = run_reporting([task(area) for area in plan.areas], job.n_threads, AMPS_AT_ONCE, job.report)
    write_parameters(job.exposure.primary, plan, job.refs["PCTETAB"].name)
    values: dict[str, Any] = {"generation": plan.table.generation, "fraction": plan.parallel.fraction}
    values |= {area.amp: result for area, result in zip(plan.areas, done, strict=True)}
    return Result(values, _history(job))


def _warn(job: Job, plan: Plan) -> None:
    lacking = []
    for area in plan.areas:
        for one in plan.passes(area.amp):
            n_col = area.view(job.exposure.imsets[area.number].sci, one.direction).shape[0]
            n = one.traps.n_uncovered(area.first, n_col)
            if n:
                lacking.append(f"{n} of {n_col} columns of amplifier {area.amp} ({one.direction})")
    if lacking:
        # The official program takes whatever lies in memory as the traps of such columns.
        job.warn(f"{job.refs['PCTETAB']}: SCLBYCOL has no entry for {', '.join(lacking)}; they get no correction")
    read_noise = job.exposure.primary.get("PCTERNOI")
    if isinstance(read_noise, (int, float)) and read_noise > 1:
        job.warn(f"PCTERNOI = {read_noise} in the header has no effect: the read noise of CCDTAB is used")


def write_parameters(header: Header, plan: Plan, name: str) -> None:
    """Write the name of the table and the parameters: as keywords where the header has them, else as HISTORY."""
    table, one = plan.table, plan.parallel
    header.set("PCTETAB", name, "CTE Correction Table")
    _write(header, "CTE_NAME", table.name, "CTE algorithm name")
    _write(header, "CTE_VER", table.version, "CTE algorithm version")
    if table.generation == 2:
        for write in (_write_date0, _write_threshold, _write_date1, _write_fraction, _write_iterations, _write_fix):
            write(header, one)
        return
    _write(header, "CORRTYPE", "parallel", "CTE correction type")
    for write in (_write_fix, _write_threshold, _write_fraction, _write_date0, _write_date1, _write_iterations):
        write(header, one)
    for amp, one in plan.serial.items():
        _write(header, "CORRTYPE", f"serial - Amp {amp}", "CTE correction type")
        for write in (_write_date0, _write_date1, _write_iterations):
            write(header, one)


def _write(header: Header, keyword: str, value: str | int | float, comment: str) -> None:
    if keyword in header:
        header.set(keyword, value)
        return
    text = value if isinstance(value, str) else f"{value:12d}" if isinstance(value, int) else f"{value:#20.12E}"
    header.add_history(f"{keyword} {text} {comment}")


def _write_date0(header: Header, one: Pass) -> None:
    _write(header, "CTEDATE0", one.traps.date0, "Date of instrument installation")


def _write_date1(header: Header, one: Pass) -> None:
    _write(header, "CTEDATE1", one.traps.date1, "Date of CTE model pinning")


def _write_threshold(header: Header, one: Pass) -> None:
    _write(header, "PCTETRSH", one.oversubtraction, "CTE over subtraction threshold")


def _write_fraction(header: Header, one: Pass) -> None:
    _write(header, "PCTEFRAC", one.fraction, "CTE scaling factor")


def _write_iterations(header: Header, one: Pass) -> None:
    _write(header, "PCTETLEN", one.n_tail, "max length of CTE trail")
    _write(header, "PCTENFOR", one.n_iteration, "Number of iter in forward model")
    _write(header, "PCTENPAR", one.n_transfer, "Number of iter in parallel transfer")


def _write_fix(header: Header, one: Pass) -> None:
    _write(header, "FIXROCR", int(one.fix_cosmic_rays), "fix readout cosmic rays")


def _history(job: Job) -> list[str]:
    noises = zip(AMPS, job.chips[0].ccd.read_noise, strict=True)
    return [
        "PCTECORR complete ...",
        *(f"PCTERNOI {noise:#14.7E} Amp '{amp}' read noise clip limit (from CCDTAB)." for amp, noise in noises),
        "CTE parameters table: ",
        *job.refs["PCTETAB"].history(),
    ]
