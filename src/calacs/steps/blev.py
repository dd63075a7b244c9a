"""BLEVCORR: subtract the bias level, measured in the overscan.

Units   electron -> electron.
Refs    OSCNTAB (sections), CCDTAB (default level, read noise).
Kernel  csrc/blev.c; after SM4 also csrc/biasshift.c, csrc/crosstalk.c, csrc/destripe.c.
Origin  HSTCAL acsccd/blev_func_main.c (choice of method); doblev.c, findblev.c, blevfit.c, blevdrift.c (classic).

Exposures after SM4 that were read with dual-slope integration at gain 2 get the bias-shift correction; full frames
of that epoch get the stripes removed as well.  All others get the classic fit of a straight line to the overscan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs._core import blev as core
from calacs.errors import SizeMismatch, TableError
from calacs.observation import AMPS, Observation
from calacs.parallel import run_parallel
from calacs.reftables import Overscan
from calacs.step import Chip, Job, Result, State, step
from calacs.steps.biasshift import SQUARE_ROWS, correct_bias_shift, is_supported_subarray
from calacs.steps.crosstalk import correct_crosstalk
from calacs.steps.destripe import destripe

_PAIR = {("WFC", 1): "AB", ("WFC", 2): "CD"}


@dataclass(frozen=True, slots=True)
class AmpRegion:
    """The part of an untrimmed image that one amplifier read, and where its bias level is measured.

    Attributes
    ----------
    amp : str
        Letter of the amplifier.
    sections : tuple of (int, int)
        First and last overscan column (inclusive), the section that fixes the drift's zero point first.
    rows, cols : tuple of int
        Illuminated part, half-open.
    """

    amp: str
    sections: tuple[tuple[int, int], ...]
    rows: tuple[int, int]
    cols: tuple[int, int]


@dataclass(frozen=True, slots=True)
class BiasLevelFit:
    """Straight-line model of an amplifier's bias level.

    Attributes
    ----------
    slope, intercept : float
        Level against line number, in electron per line and electron; the intercept holds at `middle`.
    middle : int
        Line where the intercept holds.
    drift, drift_zero : float
        Slope along columns in electron per pixel, and the column where the drift is 0.
    has_drift : bool
        Whether the virtual overscan gave a drift.
    n_unusable, n_rejected : int
        Lines without usable overscan pixel, and levels rejected as outliers.
    default : bool
        Whether the level of CCDTAB stands in for a fit that was not possible.
    """

    slope: float
    intercept: float
    middle: int
    drift: float
    drift_zero: float
    has_drift: bool
    n_unusable: int
    n_rejected: int
    default: bool


def amp_regions(
    observation: Observation, chip: int, shape: tuple[int, int], overscan: Overscan, amp_split: tuple[int, int]
) -> Iterator[AmpRegion]:
    """Divide an untrimmed image among its amplifiers.

    PARITY: the position of an amplifier is counted from the first letter in use, so that a lone amplifier is always
    the lower left one, and the second pair of four HRC amplifiers measures the same overscan lines as the first.

    Parameters
    ----------
    observation : Observation
        The exposure.
    chip : int
        Chip number.
    shape : tuple of int
        (n_row, n_col) of the untrimmed image.
    overscan : Overscan
        Row of OSCNTAB.
    amp_split : tuple of int
        AMPX and AMPY of CCDTAB.

    Yields
    ------
    AmpRegion
        One per amplifier, in the order of CCDAMP's letters for this chip.
    """
    n_row, n_col = shape
    amp_x, amp_y = amp_split
    if observation.detector == "WFC":
        amps = "".join(amp for amp in _PAIR.get(("WFC", chip), "AB") if amp in observation.ccdamp)
    else:
        amps = observation.ccdamp
    for amp in amps:
        place = (AMPS.index(amp) - AMPS.index(amps[0])) % 4
        right, upper = place % 2, place // 2
        col_first = overscan.trim_x[0] + amp_x * right
        col_last = amp_x + overscan.trim_x[0] if not right and amp_x else n_col - overscan.trim_x[1]
        row_first = overscan.trim_y[0] + amp_y * upper
        row_last = amp_y + overscan.trim_y[0] if not upper and amp_y else n_row - overscan.trim_y[1]
        yield AmpRegion(
            amp,
            _bias_sections(overscan, bool(right), len(amps) == 1, n_col),
            (row_first, min(row_last, n_row)),
            (col_first, min(col_last, n_col)),
        )


def _bias_sections(overscan: Overscan, right: bool, alone: bool, n_col: int) -> tuple[tuple[int, int], ...]:
    """Overscan sections of an amplifier; the second one counts only where it does not start at column 0."""
    a, b = overscan.section_a, overscan.section_b
    if a[1] > 0 and b[1] > 0:
        near, far = (b, a) if right else (a, b)
        sections = [near, far] if alone else [near]
    else:
        # PARITY: the table's 0 has become -1 here, so that a lone trailing section is not found (its level is unusable).
        sections = [b if a[1] == 0 else a]
    sections = [(max(first, 0), min(last, n_col - 1)) for first, last in sections]
    # The first section always stands, even when empty: the middle of it is the zero point of the drift.
    return tuple(section for i, section in enumerate(sections) if i == 0 or section[0] != 0)


def fit_bias_level(
    sci: NDArray[np.float32],
    dq: NDArray[np.int16],
    region: AmpRegion,
    overscan: Overscan,
    *,
    bad_bits: int,
    read_noise: float,
    default: float,
) -> BiasLevelFit:
    """Fit a straight line to the bias level of one amplifier.

    Parameters
    ----------
    sci : ndarray of float32, shape (n_row, n_col)
        Untrimmed image in electron.
    dq : ndarray of int16, same shape
        Pixels with any of `bad_bits` are not used.
    region : AmpRegion
        Where the amplifier's pixels and overscan are.
    overscan : Overscan
        Row of OSCNTAB.
    bad_bits : int
        Serious data-quality bits, as a signed 16-bit number.
    read_noise, default : float
        Read noise, and the level to use where there is no fit, in electron.

    Returns
    -------
    BiasLevelFit
        The model.

    Notes
    -----
    Algorithm: HSTCAL ``acsccd/doblev.c``.
    """
    n_line = region.rows[1] - region.rows[0]
    drift = _fit_drift(sci, dq, overscan, bad_bits)
    drift_zero = sum(region.sections[0]) / 2.0
    # PARITY: a section that ends at column 0 is unused; so is everything it would have measured.
    sections = [section for i, section in enumerate(region.sections) if i > 0 or section[1] != 0]
    level, used = core.rows(sci, dq, bad_bits, overscan.trim_y[0], n_line, sections)
    n_unusable = int(n_line - np.count_nonzero(used))
    n_rejected = core.clip(level, used, read_noise)
    middle = n_line // 2
    line = core.fit_line(level, used, 0.0, float(middle))
    slope, intercept = line or (0.0, default)
    return BiasLevelFit(
        slope, intercept, middle, drift or 0.0, drift_zero, drift is not None, n_unusable, n_rejected, line is None
    )


def _fit_drift(sci: NDArray[np.float32], dq: NDArray[np.int16], overscan: Overscan, bad_bits: int) -> float | None:
    """Slope of the bias level along columns, from the virtual overscan; None where there is none."""
    (x0, x1), (y0, y1) = overscan.virtual_x, overscan.virtual_y
    if not _has_virtual(overscan):
        return None
    level, used = core.columns(sci, dq, bad_bits, x0, x1 - x0 + 1, (y0, y1))
    line = core.fit_line(level, used, float(x0), float((x0 + x1) // 2))
    return line[0] if line else None


def subtract_bias_level(sci: NDArray[np.float32], region: AmpRegion, fit: BiasLevelFit) -> float:
    """Subtract a bias-level model from an amplifier's pixels, in place; return the mean level in electron.

    PARITY: the fit was made against line numbers without overscan but is evaluated at those of the untrimmed image; the
    mean drift is taken at half the region's width, not at its middle column.
    """
    core.subtract(
        sci, region.rows, region.cols, (fit.slope, fit.intercept), float(fit.middle), fit.drift, fit.drift_zero
    )
    mean_drift = ((region.cols[1] - region.cols[0]) / 2.0 - fit.drift_zero) * fit.drift
    total = 0.0
    for row in range(*region.rows):
        total += (row - fit.middle) * fit.slope + fit.intercept + mean_drift
    return total / (region.rows[1] - region.rows[0])


@step("BLEVCORR", refs=("OSCNTAB",), with_dummy=True)
def blev(job: Job, method: Callable[[Job], Result]) -> Result:
    """Subtract the bias level by the method that fits the exposure."""
    return method(job)


@blev.preflight
def choose_method(job: Job) -> Callable[[Job], Result]:
    """Choose how the bias level is found, and check that the image is large enough for it."""
    if job.states["BLEVCORR"] is State.DUMMY:
        return _nothing
    if _has_bias_shift(job):
        n_row = job.exposure.imsets[0].shape[0]
        if n_row < SQUARE_ROWS:
            raise SizeMismatch(
                f"{job.exposure.name}: the bias-shift correction needs {SQUARE_ROWS} lines, the image has {n_row}; "
                "set BLEVCORR to OMIT or correct APERTURE and OSCNTAB"
            )
    observation = job.observation
    if observation.detector == "HRC" or not observation.post_sm4:
        method = _classic
    elif not observation.subarray:
        method = _full_frame
    else:
        method = _shifted_subarray if _has_bias_shift(job) else _classic
    for chip in job.chips:
        if chip.overscan is not None and not _is_inside(chip, chip.overscan, virtual=method is _classic):
            raise TableError(
                f"{job.refs['OSCNTAB']}: row {chip.overscan.row.number}: the trims or the virtual overscan do not lie in the "
                f"image of {chip.imset.shape[1]} x {chip.imset.shape[0]} pixels; correct the table"
            )
    return method


def _is_inside(chip: Chip, overscan: Overscan, *, virtual: bool) -> bool:
    """Whether what is cut off leaves something of the image, and the `virtual` overscan, if it is measured, lies in it."""
    n_row, n_col = chip.imset.shape
    trims = (*overscan.trim_x, *overscan.trim_y)
    if min(trims) < 0 or sum(overscan.trim_x) >= n_col or sum(overscan.trim_y) >= n_row:
        return False
    (x0, x1), (y0, y1) = overscan.virtual_x, overscan.virtual_y
    return not (virtual and _has_virtual(overscan)) or (x0 >= 0 and y0 >= 0 and x1 < n_col and y1 < n_row)


def _has_virtual(overscan: Overscan) -> bool:
    (x0, x1), (y0, y1) = overscan.virtual_x, overscan.virtual_y
    return x1 > x0 and y1 > y0 and (y0 > 0 or y1 > 0)


def _nothing(job: Job) -> Result:
    """PARITY: with a dummy OSCNTAB the switch becomes COMPLETE although nothing is subtracted."""
    return Result(state=State.PERFORM, history=_history(job, measured=False, drift=False))


def _has_bias_shift(job: Job) -> bool:
    observation = job.observation
    if observation.detector != "WFC" or not observation.post_sm4:
        return False
    if observation.jwrotype != "DS_INT" or observation.ccdgain != 2.0:
        return False
    overscan = job.chips[0].overscan
    if not observation.subarray:
        return _is_whole(job)
    return is_supported_subarray(observation.aperture) and overscan is not None and overscan.has_virtual_lines


def _is_whole(job: Job) -> bool:
    """Whether both chips are there, with their overscan."""
    return len(job.chips) == 2 and all(chip.overscan is not None for chip in job.chips)


def _history(job: Job, *, measured: bool, drift: bool) -> list[str]:
    level = "; bias level from overscan was subtracted." if measured else ", but default bias level was subtracted."
    drifted = "includes" if drift else "does not include"
    return [
        f"BLEVCORR complete{level}",
        f"BLEVCORR {drifted} correction for drift along lines.",
        "  Overscan region table: ",
        *job.refs["OSCNTAB"].history(),
    ]


def _set_mean_level(chip: Chip, level: float) -> None:
    chip.imset.header["SCI"].set("MEANBLEV", np.float32(level), "mean of bias levels subtracted in electrons")


def _classic(job: Job) -> Result:
    """Straight-line fit to the overscan of each amplifier, or the default level where there is no overscan."""
    values: dict[str, Any] = {"method": "overscan fit", "fits": {}}
    measured = drift = False
    for chip in job.chips:
        default_amp = AMPS.index(job.observation.ccdamp[0])
        if len(job.observation.ccdamp) > 1 and job.observation.detector == "WFC" and chip.imset.chip == 2:
            # PARITY: the third letter after the first one, whether or not that amplifier was used.
            default_amp = (default_amp + 2) % 4
        default = np.float32(chip.ccd.bias[default_amp]) * np.float32(chip.ccd.gain[default_amp])
        measured, drift = chip.overscan is not None, False
        if chip.overscan is None:
            job.warn(
                f"no overscan region for chip {chip.imset.chip}: the bias level of CCDTAB, {default:g}, is subtracted"
            )
            chip.imset.sci -= default
            job.amp_levels[AMPS[default_amp]] = float(default)
            continue
        levels = []
        bad_bits = serious_bits(chip)
        amp_split = chip.ccd.amp_x, chip.ccd.amp_y
        for region in amp_regions(job.observation, chip.imset.chip, chip.imset.shape, chip.overscan, amp_split):
            fit = fit_bias_level(
                chip.imset.sci,
                chip.imset.dq,
                region,
                chip.overscan,
                bad_bits=bad_bits,
                read_noise=chip.ccd.read_noise[AMPS.index(region.amp)],
                default=float(default),
            )
            if fit.default:
                job.warn(
                    f"amplifier {region.amp}: no bias level in the overscan: that of CCDTAB, {default:g}, is subtracted"
                )
            elif fit.n_unusable:
                job.warn(f"amplifier {region.amp}: {fit.n_unusable} image lines have too few usable overscan pixels")
            levels.append(subtract_bias_level(chip.imset.sci, region, fit))
            job.amp_levels[region.amp] = levels[-1]
            values["fits"][region.amp] = fit
            drift = fit.has_drift
        _set_mean_level(chip, sum(levels) / len(levels))
    values["levels"] = dict(job.amp_levels)
    return Result(values, _history(job, measured=measured, drift=drift))


def serious_bits(chip: Chip) -> int:
    """Data-quality bits that make a pixel unusable, as a signed 16-bit number (SDQFLAGS; by default all)."""
    bits = chip.imset.header["SCI"].get_int("SDQFLAGS", 65535) & 0xFFFF
    return bits - 0x10000 if bits >= 0x8000 else bits


def _full_frame(job: Job) -> Result:
    """Bias shift and cross-talk where the readout calls for them, then level and stripes."""
    if not _is_whole(job):
        job.warn("overscan missing: neither bias level nor stripes can be removed from this full frame")
        return Result({"method": "none"}, _history(job, measured=False, drift=False))
    lower, upper = (chip.imset.sci for chip in job.chips)
    values: dict[str, Any] = {"method": "destripe"}
    if _has_bias_shift(job):
        values["method"] = "bias shift, cross-talk, destripe"
        corrections = [
            partial(correct_bias_shift, sci, amps, subarray=False) for sci, amps in ((upper, "AB"), (lower, "CD"))
        ]
        levels = [level for pair in run_parallel(corrections, job.n_threads) for level in pair]
        for amp, (before, after) in zip(AMPS, levels, strict=True):
            job.amp_levels[amp] = after
            values.setdefault("levels_before_bias_shift", {})[amp] = before
        run_parallel([partial(correct_crosstalk, sci) for sci in (lower, upper)], job.n_threads)
    stripes = destripe(lower, upper, n_threads=job.n_threads)
    for amp, level in stripes.level.items():
        job.amp_levels[amp] = job.amp_levels.get(amp, 0.0) + level
    for chip, amps in zip(job.chips, ("CD", "AB"), strict=True):
        _set_mean_level(chip, (stripes.level[amps[0]] + stripes.level[amps[1]]) / 2.0)
    history = [
        f"DESTRIPE: number of rows fixed per amp: {stripes.n_fixed}",
        f"DESTRIPE: number of rows skipped per amp: {stripes.n_skipped}",
    ]
    values |= {"levels": dict(job.amp_levels), "n_row_fixed": stripes.n_fixed, "n_row_skipped": stripes.n_skipped}
    values["stripe"] = stripes.stripe
    return Result(values, history + _history(job, measured=True, drift=False))


def _shifted_subarray(job: Job) -> Result:
    """Bias shift of a subarray that one amplifier read."""
    amp = job.observation.ccdamp[0]
    ((before, after),) = correct_bias_shift(job.exposure.imsets[0].sci, amp, subarray=True)
    job.amp_levels[amp] = after
    _set_mean_level(job.chips[0], after)
    values = {"method": "bias shift", "levels": {amp: after}, "levels_before_bias_shift": {amp: before}}
    return Result(values, _history(job, measured=True, drift=False))
