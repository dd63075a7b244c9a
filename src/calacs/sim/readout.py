"""The readout, effect by effect: each function undoes in advance what a calibration step will do.

Arrays of charge are in electrons.  An *amplifier view* has the amplifier at the lower left, as the
pipeline's post-SM4 steps use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .constants import CONSTANTS, SM4
from .geometry import Readout, Region

if TYPE_CHECKING:
    from .references import ReferenceSet

__all__ = [
    "amp_view",
    "bias_shift",
    "crosstalk",
    "digitize",
    "full_well",
    "sinks",
    "stripes",
    "transfer",
    "with_overscan",
]

Float = NDArray[np.float32]
Double = NDArray[np.float64]

WELL_MARGIN = 1.005
# A pixel is full slightly above the level at which the pipeline flags it, so that noise does not hide it.


def amp_view(image: NDArray[np.float32], amp: str) -> NDArray[np.float32]:
    """Return the part of one amplifier with the amplifier at the lower left (a view)."""
    flipped = image[::-1] if amp in "AB" else image
    return flipped[:, ::-1] if amp in "BD" else flipped


def full_well(charge: Float, well: Float) -> NDArray[np.bool_]:
    """Limit the charge of the pixels and let the excess bleed along the columns, in place.

    Parameters
    ----------
    charge : ndarray of float32
        electron.
    well : ndarray of float32
        Level of the SATUFILE, electron.

    Returns
    -------
    ndarray of bool
        Full pixels.

    Notes
    -----
    Each run of full pixels in a column gives half of its excess to either side; what reaches the
    edge is lost.
    """
    over = charge > well * np.float32(WELL_MARGIN)
    for col in np.flatnonzero(over.any(axis=0)):
        column = charge[:, col]
        limit = well[:, col] * np.float32(WELL_MARGIN)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], over[:, col], [False]))))
        for start, stop in edges.reshape(-1, 2):
            half = 0.5 * float(np.maximum(column[start:stop] - limit[start:stop], 0).sum(dtype=float))
            for side, room_limit in ((column[stop:], limit[stop:]), (column[:start][::-1], limit[:start][::-1])):
                room = np.cumsum(np.maximum(room_limit - side, 0).astype(float))
                n = int(np.searchsorted(room, half))
                side[:n] = np.maximum(side[:n], room_limit[:n])
                if n < side.size:
                    side[n] += np.float32(half - (room[n - 1] if n else 0.0))
        np.minimum(column, limit, out=column)
    full: NDArray[np.bool_] = charge > well
    return full


def transfer(charge: Float, frame: Readout, refs: ReferenceSet, mjd: float, n_threads: int = 1) -> Float:
    """Return the charge after its transfer past the traps of the PCTETAB, parallel then serial.

    Parameters
    ----------
    charge : ndarray of float32
        Collected charge, trimmed frame.
    frame : Readout
    refs : ReferenceSet
    mjd : float
        Epoch: the losses grow with time, and serial losses are modeled since SM4 only.
    n_threads : int
        Threads of the kernel.

    Notes
    -----
    The pipeline corrects the serial transfer first.  Columns are paired with the rows of SCLBYCOL as
    the correction pairs them.
    """
    from calacs import cte

    fraction = (mjd - CONSTANTS["cte"]["date0"]) / (CONSTANTS["cte"]["date1"] - CONSTANTS["cte"]["date0"])
    out = charge.copy()
    for region in frame.regions:
        rows = slice(max(region.y0 - frame.trim_y[0], 0), min(region.y1 - frame.trim_y[0], charge.shape[0]))
        cols = slice(max(region.x0 - frame.trim_x[0], 0), min(region.x1 - frame.trim_x[0], charge.shape[1]))
        view = amp_view(out[rows, cols], region.amp)
        first = cols.start + (4096 if region.amp in "AB" else 0)
        for kind in ("parallel", "serial"):
            if kind == "serial" and (mjd < SM4 or refs.cte_generation == 2):
                continue
            table = refs.traps(kind, region.amp)
            model = cte.TrapModel(
                table["level"],
                table["charge"],
                table["release"],
                table["remaining"],
                n_transfer=CONSTANTS["cte"][kind]["n_parallel"],
            )
            line = view.T if kind == "parallel" else view[::-1]
            traps = cte.trap_map(
                line.shape, np.arange(table["scale"].shape[1]), table["scale"].T, first=first, fraction=fraction
            )
            line[:] = cte.forward(np.ascontiguousarray(line), traps.density, model, n_threads=n_threads)
    return out


def sinks(charge: Float, codes: Float) -> None:
    """Take the charge that sink pixels lose, in place.

    Parameters
    ----------
    charge : ndarray of float32
    codes : ndarray of float32
        SNKCFILE; below -1 the depth of a sink pixel in electrons.
    """
    where = codes < -1
    charge[where] -= np.minimum(-codes[where], np.float32(0.9) * np.maximum(charge[where], 0))


def with_overscan(charge: Float, frame: Readout) -> Float:
    """Return the untrimmed frame; the overscan holds no charge."""
    out = np.zeros(frame.shape, np.float32)
    out[frame.illuminated] = charge
    return out


def stripes(shape: tuple[int, int], n_amp_col: int, rng: np.random.Generator) -> Float:
    """Return the row noise of the post-SM4 electronics, the same in every amplifier view.

    Parameters
    ----------
    shape : (rows, columns)
        Of one amplifier view.
    n_amp_col : int
        Columns of an amplifier view, for the time of a row.
    rng : Generator

    Returns
    -------
    ndarray of float32
        electron.

    Notes
    -----
    The noise is sampled once a row, half white and half a slow walk, and runs on linearly within it;
    the rows follow each other with the gap of the parallel shift.
    """
    n_row, n_col = shape
    rms = CONSTANTS["bias"]["stripe_rms"]
    white = rng.standard_normal(n_row)
    walk = np.zeros(n_row)
    # A sum of damped walks has the spectrum of 1/f noise over the decades of a frame.
    for memory in (4, 16, 64, 256):
        kernel = np.exp(-np.arange(4 * memory) / memory)
        part = np.convolve(rng.standard_normal(n_row + kernel.size), kernel / np.sqrt((kernel**2).sum()), "valid")
        walk += part[:n_row]
    level = rms * (white + walk / 2.0) / np.sqrt(2.0)
    level -= level.mean()
    change = np.append(np.diff(level), 0.0)
    fraction = (np.arange(n_col) - 11.5) / (n_amp_col + CONSTANTS["bias_shift"]["gap"])
    noise: Float = (level[:, None] + change[:, None] * fraction).astype(np.float32)
    return noise


def crosstalk(image: Float) -> None:
    """Subtract the ghost that each half of a chip leaves in the other, in place.

    Notes
    -----
    The pipeline adds the mirror image to the left half, then the corrected left half to the right
    half; this is the exact inverse.
    """
    ratio = np.float32(CONSTANTS["crosstalk"]["ratio"])
    half = image.shape[1] // 2
    left, right = image[:, :half], image[:, -half:]
    right -= ratio * left[:, ::-1]
    left -= ratio * right[:, ::-1]


def bias_shift(image: Float, region: Region, level: float) -> None:
    """Shift the bias as the dual-slope integrator does, in place.

    Parameters
    ----------
    image : ndarray of float32
        Untrimmed frame; the pixels of `region` hold charge and bias level, electron.
    region : Region
        One amplifier's part.
    level : float
        Bias level of the amplifier in the corrected frame, electron.

    Notes
    -----
    The pipeline replaces a pixel g of the sequence read by an amplifier by
    ``g - k b' - r (b' - b)``, where ``b' = f q g + (1 - f) b`` is the charge that the integrator
    remembers after it and b before it.  Solved for g this is a recursion of first order with
    constant coefficients; within a row it is a weighted running sum, and rows are chained one by one.

    References
    ----------
    CALACS acsccd/blev_funcs_postsm4.c (the correction).
    """
    table = CONSTANTS["bias_shift"]
    ratio, ramp, gap = table["dc_ratio"], table["ramp"], table["gap"]
    kappa = table["sensitivity"][region.amp]
    f = 1.0 - np.exp(-1.0 / (table["time_constant"][region.amp] * table["frequency"]))
    alpha = 1.0 - f * ratio * (kappa + ramp)
    beta = kappa * (1.0 - f) - ramp * f
    gain = f * ratio / alpha
    decay = (1.0 - f) + gain * beta
    # In the steady state the shifted level is level / (1 - k q); the gap between rows holds it.
    rest = level / (1.0 - kappa * ratio)
    view = amp_view(image[region.slices], region.amp)
    target = view.astype(np.float64)
    n_row, n_col = target.shape
    powers = decay ** np.arange(n_col + 1)
    # Memory before pixel c, if the row began without any: powers[c] * sum_{i<c} gain * out_i / powers[i+1].
    memory = np.cumsum(target * (gain / powers[1:]), axis=1)
    at_end = memory[:, -1] * powers[n_col]
    hold = (1.0 - f) ** gap
    start = np.empty(n_row)
    b = rest * ratio
    for row in range(n_row):
        start[row] = b
        b = at_end[row] + powers[n_col] * b
        b = rest * ratio + hold * (b - rest * ratio)
    memory[:, 1:] = memory[:, :-1]
    memory[:, 0] = 0.0
    memory += start[:, None]
    memory *= powers[:n_col]
    memory *= beta
    target += memory
    target /= alpha
    view[:] = target


def digitize(charge: Float, frame: Readout, gain: Mapping[str, float], bias: Float | None) -> NDArray[np.uint16]:
    """Return the converter's numbers.

    Parameters
    ----------
    charge : ndarray of float32
        Untrimmed frame with bias level and noise, electron; overwritten.
    frame : Readout
    gain : mapping of str to float
        electron / DN.
    bias : ndarray of float32 or None
        Structure of the bias, DN.

    Returns
    -------
    ndarray of uint16
    """
    for region in frame.regions:
        charge[region.slices] *= np.float32(1.0 / gain[region.amp])
    if bias is not None:
        charge += bias
    np.rint(charge, out=charge)
    np.clip(charge, 0, CONSTANTS["atod"]["saturation"], out=charge)
    return charge.astype(np.uint16)
