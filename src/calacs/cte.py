"""Charge-transfer efficiency for any CCD: smoothing, trap map, simulated readout and its inverse on plain arrays.

Images are `float32` arrays of shape ``(n_col, n_row)`` in electrons: one row of the array is one *column* of the
detector along which charge is transferred, its element 0 next to the readout register.  An image ``a[y, x]`` read out
toward ``y = 0`` is ``numpy.ascontiguousarray(a.T)``; read out toward ``x = 0`` it is the array as it stands.

A correction is three calls::

    smoothed = cte.smooth(image, read_noise)
    restored = cte.inverse(smoothed.image, traps, model, read_noise)
    cte.combine(restored.image, smoothed.image, image, error)

and `correct` makes them on views of any orientation.  Results do not depend on `n_threads`, on the instruction set, or,
smoothing aside, on which columns are given together.  Columns with non-finite pixels go through the same arithmetic:
a NaN spreads to its neighbors while smoothing, as in the official program, and stays in its pixel elsewhere.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import calacs._core.cte as _core
from calacs.ctemodel import Correction, FloatImage, Restored, Smoothed, TrapMap, TrapModel
from calacs.errors import InvalidValue, SizeMismatch, TableError
from calacs.parallel import ranges_of, resolve_threads, run_ranges

__all__ = [
    "Correction",
    "Restored",
    "Smoothed",
    "TrapMap",
    "TrapModel",
    "available_isas",
    "combine",
    "correct",
    "forward",
    "inverse",
    "smooth",
    "trap_map",
]

Progress = Callable[[str, int, int], None]

#: Smoothing stops here at the latest, and where the rms comes this close to the read noise (electron).
MAX_SMOOTHING = 100
SMOOTHING_TOLERANCE = 0.00001
#: Below this read noise (electron) there is nothing to smooth.
MIN_READ_NOISE = 0.1

_BATCH = 8  # smoothing iterations in one sweep over the image
_SMOOTH_PIXELS = 5_000_000  # of one smoothing task, which begins _BATCH columns before and ends as many behind its own
_TASK = 1_200_000  # rows of all sub-steps of one readout task
_SPELL = 0.025  # seconds after which a readout task looks whether it is cancelled, as far as columns take equally long


def available_isas() -> tuple[str, ...]:
    """Names of the instruction sets that this machine can run, the plain one first, the fastest last."""
    return tuple(name for name, code in _core.ISA.items() if name != "auto" and _core.resolve_isa(code) == code)


def _isa(name: str) -> int:
    code = _core.ISA.get(name)
    if code is None or _core.resolve_isa(code) < 0:
        raise InvalidValue(f"isa={name!r} is not available here; choose 'auto' or one of {', '.join(available_isas())}")
    return int(code)


def _image(array: ArrayLike, name: str) -> FloatImage:
    with np.errstate(over="ignore"):
        image: FloatImage = np.ascontiguousarray(array, dtype=np.float32)
    if image.ndim != 2:
        raise SizeMismatch(f"{name} has shape {image.shape}; give a 2-D array (n_col, n_row)")
    return image


def _output(out: FloatImage | None, name: str, shape: tuple[int, ...], *others: ArrayLike) -> FloatImage:
    """An array for a result: the one given, or a new one."""
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.shape != shape or not out.flags.carray:
        given = f"{out.dtype}{out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise SizeMismatch(f"{name} is {given}; give a writable C-contiguous float32 array {shape}")
    if any(np.may_share_memory(out, other) for other in others if isinstance(other, np.ndarray)):
        raise InvalidValue(f"{name} shares memory with another array of the call; give one of its own")
    return out


def _threads(n_threads: int) -> int:
    if n_threads < 0:
        raise InvalidValue(f"n_threads={n_threads}; give 1 or more, or 0 for all processors")
    return resolve_threads(operator.index(n_threads))


def _noise(read_noise: float) -> float:
    if not (math.isfinite(read_noise) and read_noise >= 0.0):
        raise InvalidValue(
            f"read_noise={read_noise}; give the read noise of the amplifier in electrons, finite and not negative"
        )
    return float(read_noise)


def smooth(
    image: ArrayLike,
    read_noise: float,
    *,
    n_threads: int = 1,
    isa: str = "auto",
    progress: Progress | None = None,
    work: tuple[FloatImage, FloatImage] | None = None,
) -> Smoothed:
    """Find the smoothest image that is the given one within the read noise.

    Parameters
    ----------
    image : array_like of float32, shape (n_col, n_row)
        Image (electron); not changed.
    read_noise : float
        Read noise (electron).  Below 0.1 the image itself is the result.
    n_threads : int
        Threads, 0 for all processors; the result does not depend on it.
    isa : str
        Instruction set, for tests: ``"auto"`` or one of `available_isas`; the result does not depend on it.
    progress : callable, optional
        Called as ``progress("smooth", done, total)`` from the calling thread; an exception from it cancels the call.
    work : tuple of two float32 arrays like the image, optional
        Arrays to work in instead of new ones; the resulting image is one of them.

    Returns
    -------
    Smoothed
        The image (a new array, or one of `work`), the number of iterations, and the rms of image - smooth image
        (electron), whose last digits depend on the instruction set.

    Raises
    ------
    SizeMismatch, InvalidValue
        An array that is not 2-D, or unfit for the result; a parameter outside its domain.

    Notes
    -----
    At most 100 iterations; they end when the rms over pixels above 0.1 electron comes within 1e-5 of the read noise.
    The test is on the whole image: an image and its parts are smoothed alike only if they take as many iterations.

    References
    ----------
    Anderson and Bedin 2010, PASP 122, 1035; Anderson and Ryon, ACS ISR 2018-04; HSTCAL ``ctegen2.c``.
    """
    observed = _image(image, "image")
    noise, n_threads, code = _noise(read_noise), _threads(n_threads), _isa(isa)
    n_col = len(observed)
    if work is not None and len(work) != 2:
        raise SizeMismatch(f"work has {len(work)} arrays; give two")
    spare = [_output(None if work is None else work[0], "work[0]", observed.shape, observed, image)]
    if noise < MIN_READ_NOISE or observed.size == 0:
        spare[0][...] = observed
        return Smoothed(spare[0], 0, 0.0)
    spare.append(_output(None if work is None else work[1], "work[1]", observed.shape, observed, image, spare[0]))
    n_range = max(n_threads, -(-observed.size // _SMOOTH_PIXELS))
    ranges = ranges_of(n_col, max(-(-n_col // n_range), 1))
    current, done, batch = observed, 0, 1 if isa == "scalar" else _BATCH
    history: list[float] = []
    steps = batch

    def tell(_: int) -> None:
        if progress is not None:
            progress("smooth", done, MAX_SMOOTHING)

    while True:
        result = spare[0]
        square, count = np.zeros((steps, n_col)), np.zeros((steps, n_col))

        def sweep(
            first: int,
            last: int,
            start: FloatImage = current,
            result: FloatImage = result,
            square: NDArray[np.float64] = square,
            count: NDArray[np.float64] = count,
        ) -> None:
            _core.smooth(observed, start, first, last, noise, code, result, square, count)

        run_ranges(ranges, sweep, n_threads, tell)
        rms = _rms(square, count)
        # Sums by column differ from sums by pixel in the last bits: near the threshold the official order decides.
        for k, value in enumerate(rms):
            if abs(noise - value - SMOOTHING_TOLERANCE) < 1e-6 * max(noise, 1.0):
                if k + 1 < steps:
                    rms = rms[: k + 1]  # look at this iteration's image first
                else:
                    total, n = _core.smooth_rms(observed, result)
                    rms[k] = math.sqrt(total / n) if n else math.nan
                break
            if noise - value < SMOOTHING_TOLERANCE:
                rms = rms[: k + 1]
                break
        if len(rms) < steps:
            steps = len(rms)  # the end lies within the sweep: repeat it up to there
            continue
        spare.reverse()
        current = result
        done += steps
        history += rms
        tell(done)
        if noise - rms[-1] < SMOOTHING_TOLERANCE or done == MAX_SMOOTHING:
            break
        steps = min(_remaining(history, noise - SMOOTHING_TOLERANCE, batch), MAX_SMOOTHING - done)
    return Smoothed(current, done, history[-1])


def _rms(square: NDArray[np.float64], count: NDArray[np.float64]) -> list[float]:
    """Rms of each iteration, NaN without a pixel; added up in column order."""
    rms = []
    for squares, counts in zip(square, count, strict=True):
        total, n = float(np.add.accumulate(squares)[-1]), float(counts.sum())
        rms.append(math.sqrt(total / n) if n else math.nan)
    return rms


def _remaining(history: list[float], goal: float, most: int) -> int:
    """Iterations to the goal, foreseen from the last steps of the rms; at least 1, at most `most`.

    The steps shrink by a ratio that grows slowly.  Of the guesses with a constant ratio and with a constant growth of it
    the lower one is taken: to have guessed too few costs one more sweep, too many a whole one.
    """
    steps = np.diff(history[-4:])
    if len(steps) < 3 or not (steps > 0).all():
        return most
    ratios = steps[1:] / steps[:-1]
    guess = most
    for growth in (1.0, ratios[1] / ratios[0]):
        step, ratio, value = steps[-1], ratios[-1], history[-1]
        for n in range(1, guess):
            ratio *= growth
            step *= ratio
            value += step
            if not value < goal:
                guess = n
                break
    return guess


def trap_map(
    shape: tuple[int, int],
    index: ArrayLike,
    nodes: ArrayLike,
    *,
    first: int = 0,
    fraction: float = 1.0,
    out: FloatImage | None = None,
) -> TrapMap:
    """Relative trap density of each pixel, from sensitivities at four rows of each column.

    Parameters
    ----------
    shape : (int, int)
        ``(n_col, n_row)`` of the map.
    index : array_like of int32, shape (n_entry,)
        Column number of each entry of the table (`IZ` of SCLBYCOL).
    nodes : array_like of float64, shape (n_entry, 4)
        Relative density at the four nodes (`SENS_0512` to `SENS_2048`).
    first : int
        The entry with index ``i`` belongs to column ``i - first``.
    fraction : float
        Scaling with time: 1 at the epoch of the table.
    out : ndarray of float32, shape `shape`, optional
        Where to put the map instead of into a new array.

    Returns
    -------
    TrapMap
        Density, zero where no entry covers the column, and the columns covered.

    Raises
    ------
    SizeMismatch, InvalidValue, TableError
        Shapes that do not fit, a non-finite fraction, non-finite nodes.

    Notes
    -----
    The density at row ``v`` is sensitivity times ``(v + 1) / 2048`` times fraction: charge passes one more trap a row.
    The nodes are taken at rows 0, 512, 1024 and 1536, and frozen beyond, as in the official program.
    """
    numbers = np.asarray(index)
    with np.errstate(invalid="ignore"):
        entry = np.ascontiguousarray(numbers, dtype=np.int32)
    node = np.ascontiguousarray(nodes, dtype=np.float64)
    n_col, n_row = shape
    if entry.ndim != 1 or node.shape != (entry.size, 4):
        raise SizeMismatch(
            f"trap map: index has shape {entry.shape}, nodes {node.shape}; give (n_entry,) and (n_entry, 4)"
        )
    wrong = np.flatnonzero(entry != numbers)
    if wrong.size:
        raise TableError(
            f"trap map: index[{wrong[0]}] is {numbers[wrong[0]]}; column numbers are whole numbers of 32 bits"
        )
    if n_col < 0 or n_row < 0:
        raise SizeMismatch(f"trap map: shape {shape}; give (n_col, n_row), not negative")
    if not math.isfinite(fraction):
        raise InvalidValue(
            f"trap map: fraction is {fraction}; check the dates it is made from (CTEDATE0, CTEDATE1, EXPSTART)"
        )
    if not np.isfinite(node).all():
        row = int(np.flatnonzero(~np.isfinite(node).all(axis=1))[0])
        raise TableError(f"trap map: nodes[{row}] is {node[row].tolist()}; every sensitivity must be finite")
    density = _output(out, "out", (n_col, n_row))
    flags = np.zeros(n_col, np.uint8)
    _core.traps(entry, node, first, fraction, density, flags)
    covered = flags.astype(bool)
    density[~covered] = 0.0
    return TrapMap(density, covered)


def _prepare(
    image: ArrayLike, traps: ArrayLike, model: TrapModel, read_noise: float, isa: str
) -> tuple[FloatImage, FloatImage, Any]:
    pixels, density = _image(image, "image"), _image(traps, "traps")
    if pixels.shape != density.shape:
        raise SizeMismatch(f"image has shape {pixels.shape}, traps {density.shape}; give one density a pixel")
    plan = _core.make_plan(
        model.charge,
        model.capture,
        model.release,
        model.held,
        model.n_transfer,
        model.n_iteration,
        read_noise,
        model.fix_cosmic_rays,
        model.oversubtraction,
        _isa(isa),
    )
    return pixels, density, plan


def _by_columns(
    kernel: Callable[[int, int], None],
    shape: tuple[int, ...],
    n_step: int,
    n_threads: int,
    stage: str,
    progress: Progress | None,
) -> None:
    """Run a kernel on ranges of columns, each column taking `n_step` sub-steps."""
    n_col, n_row = shape
    if n_col == 0 or n_row == 0:
        return
    width = min(max(_TASK // (n_step * n_row), 1), 64)

    def advance(done: int) -> None:
        if progress is not None:
            progress(stage, done, n_col)

    run_ranges(ranges_of(n_col, width), kernel, n_threads, advance, spell=_SPELL)


def forward(
    image: ArrayLike,
    traps: ArrayLike,
    model: TrapModel,
    *,
    n_threads: int = 1,
    isa: str = "auto",
    progress: Progress | None = None,
    out: FloatImage | None = None,
) -> FloatImage:
    """Simulate the readout: what the traps make of an image.

    Parameters
    ----------
    image : array_like of float32, shape (n_col, n_row)
        Charge as collected (electron); not changed.
    traps : array_like of float32, shape (n_col, n_row)
        Relative trap density, for instance of `trap_map`; not changed.
    model : TrapModel
        Levels and release profiles.
    n_threads, isa, progress
        As in `smooth`; the stage is ``"forward"`` and counts columns.
    out : ndarray of float32, shape (n_col, n_row), optional
        Where to put the result instead of into a new array.

    Returns
    -------
    ndarray of float32, shape (n_col, n_row)
        Charge as read (electron).

    Raises
    ------
    SizeMismatch, InvalidValue
        Shapes that do not fit; a parameter outside its domain.

    References
    ----------
    Anderson and Ryon, ACS ISR 2018-04; HSTCAL ``ctegen2.c``.
    """
    n_threads = _threads(n_threads)
    pixels, density, plan = _prepare(image, traps, model, 1.0, isa)
    result = _output(out, "out", pixels.shape, pixels, density, image, traps)
    _by_columns(
        lambda first, last: _core.forward(plan, pixels, density, first, last, result),
        pixels.shape,
        model.n_transfer,
        n_threads,
        "forward",
        progress,
    )
    return result


def inverse(
    image: ArrayLike,
    traps: ArrayLike,
    model: TrapModel,
    read_noise: float,
    *,
    n_threads: int = 1,
    isa: str = "auto",
    progress: Progress | None = None,
    out: FloatImage | None = None,
) -> Restored:
    """Restore the image that the readout turned into the given one.

    Parameters
    ----------
    image : array_like of float32, shape (n_col, n_row)
        Charge as read, smoothed against noise (electron); not changed.
    traps : array_like of float32, shape (n_col, n_row)
        Relative trap density, for instance of `trap_map`; not changed.
    model : TrapModel
        Levels, release profiles, iterations.
    read_noise : float
        Read noise (electron), above 0: corrections well below it are damped.
    n_threads, isa, progress
        As in `smooth`; the stage is ``"inverse"`` and counts columns.
    out : ndarray of float32, shape (n_col, n_row), optional
        Where to put the image instead of into a new array.

    Returns
    -------
    Restored
        The image (a new array, or `out`, in electrons), and how often each column was inverted.

    Raises
    ------
    SizeMismatch, InvalidValue
        Shapes that do not fit; a parameter outside its domain.

    Notes
    -----
    Columns are independent.  Each is inverted by ``m <- m - damped(readout(m) - image)``, the last time undamped.
    With `TrapModel.fix_cosmic_rays`, a column with over-subtracted pixels is inverted again, five times in all at most,
    with the traps between the source of each such trail and its hole weakened by a quarter.

    References
    ----------
    Anderson and Bedin 2010, PASP 122, 1035; Anderson and Ryon, ACS ISR 2018-04; HSTCAL ``ctegen2.c``.
    """
    n_threads = _threads(n_threads)
    if _noise(read_noise) * read_noise == 0.0:
        raise InvalidValue(
            f"read_noise={read_noise:g}: the damping divides by its square; give the read noise of the amplifier in electrons"
        )
    pixels, density, plan = _prepare(image, traps, model, float(read_noise), isa)
    result = _output(out, "out", pixels.shape, pixels, density, image, traps)
    n_run = np.zeros(len(pixels), np.int32)
    _by_columns(
        lambda first, last: _core.inverse(plan, pixels, density, first, last, result, n_run),
        pixels.shape,
        model.n_transfer * max(model.n_iteration, 1),
        n_threads,
        "inverse",
        progress,
    )
    return Restored(result, n_run)


def _check_planes(what: str, sci: FloatImage, err: FloatImage) -> None:
    """Refuse an image and an error that cannot be changed in place."""
    for name, array in (("sci", sci), ("err", err)):
        if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 2:
            given = f"{array.dtype}{array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise SizeMismatch(f"{what}: {name} is {given}; give a float32 array (n_col, n_row)")
        if not array.flags.writeable:
            raise InvalidValue(f"{what}: {name} is read-only, but is changed in place; give a copy")
        if any(stride % array.itemsize for stride in array.strides):
            raise SizeMismatch(
                f"{what}: {name} has strides {array.strides}, no multiples of {array.itemsize} bytes; give a copy"
            )
    if sci.shape != err.shape:
        raise SizeMismatch(f"{what}: sci has shape {sci.shape}, err {err.shape}; they must agree")
    if np.shares_memory(sci, err):
        raise InvalidValue(f"{what}: sci and err share memory; give planes of their own")
    if sci.strides != err.strides:
        raise SizeMismatch(f"{what}: sci has strides {sci.strides}, err {err.strides}; give views made alike")


def combine(restored: FloatImage, smoothed: FloatImage, sci: FloatImage, err: FloatImage) -> None:
    """Add a correction to an image, and a tenth of it to the error in quadrature.

    Parameters
    ----------
    restored, smoothed : ndarray of float32, shape (n_col, n_row)
        What `inverse` gave, and what it was given (electron).
    sci, err : ndarray of float32, shape (n_col, n_row)
        Image and its error (electron), changed in place.  Views of any strides will do, alike in both.

    Raises
    ------
    SizeMismatch, InvalidValue
        Types, shapes or strides that do not fit; a read-only image.
    """
    _check_planes("combine", sci, err)
    for name, array in (("restored", restored), ("smoothed", smoothed)):
        if array.shape != sci.shape or array.dtype != np.float32:
            raise SizeMismatch(f"combine: {name} is {array.dtype}{array.shape}; give float32{sci.shape} as sci has it")
    _core.combine(np.ascontiguousarray(restored), np.ascontiguousarray(smoothed), sci, err)


def correct(
    sci: FloatImage,
    err: FloatImage,
    traps: ArrayLike,
    model: TrapModel,
    read_noise: float,
    *,
    simulate: bool = False,
    n_threads: int = 1,
    isa: str = "auto",
    progress: Progress | None = None,
) -> Correction:
    """Correct an image and its error in place, or simulate a readout of it.

    Parameters
    ----------
    sci, err : ndarray of float32, shape (n_col, n_row)
        Image and its error (electron).  Views of any strides will do, alike in both: flips and transposes of a detector
        plane are given as they are.  Untouched if the call is cancelled.
    traps : array_like of float32, shape (n_col, n_row)
        Relative trap density.
    model : TrapModel
        Levels, release profiles, iterations.
    read_noise : float
        Read noise (electron); unused by a simulation.
    simulate : bool
        Apply `forward` to the image as it is, instead of `smooth` and `inverse`.
    n_threads, isa, progress
        As in `smooth`; stages ``"smooth"`` and ``"inverse"``, or ``"forward"``.

    Returns
    -------
    Correction
        Smoothing iterations, rms of the noise set aside (electron), columns with readout cosmic rays.

    Raises
    ------
    SizeMismatch, InvalidValue
        As `smooth`, `inverse` and `combine`.

    Notes
    -----
    What is added to the image is the difference between the restored and the smooth image: the noise that smoothing
    took out stays as it was.
    """
    _check_planes("correct", sci, err)
    if np.shape(traps) != sci.shape:
        raise SizeMismatch(f"correct: sci has shape {sci.shape}, traps {np.shape(traps)}; give one density a pixel")
    work: FloatImage = np.empty(sci.shape, np.float32)
    _core.gather(sci, work)
    if simulate:
        result = forward(work, traps, model, n_threads=n_threads, isa=isa, progress=progress)
        combine(result, work, sci, err)
        return Correction(0, 0.0, 0)
    smoothed = smooth(work, read_noise, n_threads=n_threads, isa=isa, progress=progress)
    restored = inverse(
        smoothed.image, traps, model, read_noise, n_threads=n_threads, isa=isa, progress=progress, out=work
    )
    combine(restored.image, smoothed.image, sci, err)
    return Correction(smoothed.n_iteration, smoothed.rms, int((restored.n_run > 1).sum()))
