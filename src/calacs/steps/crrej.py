"""CRCORR, RPTCORR of CCDs: combine exposures of one field and reject cosmic rays.

Units   electron -> electron (sums over the exposures).
Refs    CRREJTAB (parameters), SHADFILE (shutter shading, if asked for).
Kernel  csrc/crrej.c, csrc/crrej_sky.c.
Origin  HSTCAL pkg/acs/lib/acsrej.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calacs._core import crrej as core
from calacs.dq import DQ
from calacs.errors import InvalidValue, SizeMismatch
from calacs.exposure import PLANES
from calacs.parallel import Report, split_rows, thread_pool

MAX_ITERATIONS = 20
SPILL, EXCLUDE, HIT = 2, 4, 8
_BLOCK_BYTES = 256 * 2**20
_BLOCK_PIXELS = 2**17

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parameters:
    """How cosmic rays are told from the image.

    Attributes
    ----------
    crsigmas : tuple of float
        Rejection limit of each iteration, in sigma; 1 to 20 of them.
    crradius : float
        Radius around a cosmic ray in which its neighbors are looked at, pixel.
    crthresh : float
        Factor on the rejection limit for neighbors; 0 or less rejects all of them.
    scalense : float
        Noise that is proportional to the signal, percent of it.
    initgues : str
        First guess of the image: "med..." (median), anything else the minimum.
    skysub : str
        "mode" or "none".
    badinpdq : int
        Bits that make a pixel bad, 16 bits with sign.

    Raises
    ------
    InvalidValue
        A value is outside its domain.
    """

    crsigmas: tuple[float, ...]
    crradius: float = 2.1
    crthresh: float = 0.5555
    scalense: float = 30.0
    initgues: str = "minimum"
    skysub: str = "mode"
    badinpdq: int = 39

    def __post_init__(self) -> None:
        if not self.crsigmas:
            raise InvalidValue("CRSIGMAS gives no rejection limit; it must be like '6.5,5.5,4.5'")
        if len(self.crsigmas) > MAX_ITERATIONS:
            raise InvalidValue(
                f"CRSIGMAS gives {len(self.crsigmas)} rejection limits; at most {MAX_ITERATIONS} are allowed"
            )
        if not 0.0 <= self.crradius < 1000.0:
            raise InvalidValue(f"CRRADIUS = {self.crradius:g} is invalid; it must be 0 to 1000 pixels")
        if self.skysub not in ("none", "mode"):
            raise InvalidValue(f"SKYSUB = {self.skysub!r} is invalid; it must be 'none' or 'mode'")
        if not -32768 <= self.badinpdq <= 32767:
            raise InvalidValue(f"BADINPDQ = {self.badinpdq} is invalid; it must fit 16 bits")

    @property
    def median(self) -> bool:
        """Whether the first guess is the median."""
        return self.initgues.startswith("med")


def parse_sigmas(text: str) -> tuple[float, ...]:
    """Read a list of rejection limits: numbers separated by one of comma, semicolon, slash, and blanks.

    Raises
    ------
    InvalidValue
        An item is not a number, or there is none.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acsrej/readpar.c``.
    """
    sigmas, rest = [], text.strip(" ")
    while rest:
        end = next((i for i, c in enumerate(rest) if c in ",;/ "), len(rest))
        item, rest = rest[:end], rest[end + 1 :].lstrip(" ")
        try:
            if item[:1] == "+":
                raise ValueError
            sigmas.append(float(item))
        except ValueError:
            raise InvalidValue(
                f"CRSIGMAS = {text!r}: {item!r} is not a number; it must be like '6.5,5.5,4.5'"
            ) from None
    return tuple(sigmas)


class Rows(Protocol):
    """An exposure whose planes can be read by rows."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""

    def read(self, plane: str, first: int, last: int) -> NDArray[Any]:
        """Rows first .. last - 1 of the plane "SCI", "ERR" (float32) or "DQ" (int16), C-contiguous."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """An exposure in memory, as `Rows`; the arrays are never changed."""

    sci: Float
    err: Float
    dq: NDArray[np.int16]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.sci.shape[0], self.sci.shape[1]

    def read(self, plane: str, first: int, last: int) -> NDArray[Any]:
        """View some rows."""
        array: NDArray[Any] = getattr(self, plane.lower())
        return np.ascontiguousarray(array[first:last], np.int16 if plane == "DQ" else np.float32)


@dataclass(frozen=True, slots=True)
class Shading:
    """Extra exposure time that the shutter gives to each pixel (s).

    Attributes
    ----------
    average, threshold : ndarray of float32, shape (n_row, n_col)
        What is applied to the combined image, and to the signal in the rejection limits.
    """

    average: Float
    threshold: Float


@dataclass(frozen=True, slots=True)
class Combination:
    """Exposures combined into one.

    Attributes
    ----------
    sci, err : ndarray of float32, shape (n_row, n_col)
        Sum of the exposures without cosmic rays, scaled to the total exposure time, and its uncertainty (electron).
    dq : ndarray of int16, shape (n_row, n_col)
        Merged flags; `DQ.COSMIC_RAY` where every exposure was rejected.
    sky : ndarray of float32, shape (n_image,)
        Sky of each exposure (electron).
    n_rejected : tuple of int
        Pixels rejected in each exposure.
    hits : tuple of ndarray of uint8, shape (n_row, (n_col + 7) // 8)
        Rejected pixels of each exposure, as bits (`numpy.unpackbits`); empty unless asked for.
    """

    sci: Float
    err: Float
    dq: NDArray[np.int16]
    sky: Float
    n_rejected: tuple[int, ...]
    hits: tuple[NDArray[np.uint8], ...] = ()


def float32_sum(values: Sequence[Any] | Float) -> np.float32:
    """Sum in single precision, from first to last."""
    total = np.float32(0.0)
    for value in values:
        total = np.float32(total + np.float32(value))
    return total


def total_sky(skies: Float) -> np.float32:
    """Sky of the combined image (electron)."""
    # PARITY: a negative sum counts as 0, although it was subtracted.
    total = float32_sum(skies)
    return total if total >= 0 or math.isnan(total) else np.float32(0.0)


def effective_times(times: Sequence[float] | Float) -> Float:
    """Exposure times as the combination uses them: bias frames, all of them 0 s, count 1 s each."""
    result = np.array(times, np.float32)
    return np.ones_like(result) if float32_sum(result) == 0.0 else result


def measure_sky(images: Sequence[Rows], parameters: Parameters, *, n_threads: int = 1) -> Float:
    """Sky of each exposure: 0, or the mode of its pixels.

    Parameters
    ----------
    images : sequence of Rows
        Exposures (electron), all of one shape.
    parameters : Parameters
        `skysub` and `badinpdq` count.
    n_threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (n_image,)
        Electron.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acsrej/acsrej_sky.c``, ``cr_mode.c``.
    PARITY: the range of all histograms comes from the first exposure, and its sum is in single precision, pixel by pixel.
    """
    if parameters.skysub == "none":
        return np.zeros(len(images), np.float32)
    n_row, n_col = images[0].shape
    blocks = split_rows(n_row, -(-n_row * n_col // _BLOCK_PIXELS))
    brightness: tuple[float, float, int] = (2147483648.0, 0.0, 0)
    for rows in blocks:
        sci, dq = (images[0].read(plane, rows.start, rows.stop) for plane in ("SCI", "DQ"))
        brightness = core.add_to_range(sci, dq, parameters.badinpdq, brightness)
    bins = core.bins_of(brightness)

    def mode_of(image: Rows) -> float:
        count = np.zeros(bins[2] + 1, np.int32)
        for rows in blocks:
            sci, dq = (image.read(plane, rows.start, rows.stop) for plane in ("SCI", "DQ"))
            core.add_to_histogram(sci, dq, bins, count)
        return float(core.mode(count, bins))

    with thread_pool(min(n_threads, len(images))) as run:
        return np.array(run([lambda image=image: mode_of(image) for image in images]), np.float32)  # type: ignore[misc]


def combine_images(
    images: Sequence[Rows],
    times: Sequence[float] | Float,
    parameters: Parameters,
    *,
    calibration: bool = False,
    shading: Shading | None = None,
    keep_hits: bool = False,
    n_threads: int = 1,
    block_rows: int | None = None,
    report: Report | None = None,
) -> Combination:
    """Combine exposures and reject cosmic rays.

    Parameters
    ----------
    images : sequence of Rows
        Two or more exposures (electron) of one shape; they are read row by row and not changed.
    times : sequence of float
        Exposure time of each (s).  Those of 0 s are left out, unless all are: bias frames count 1 s each.
    parameters : Parameters
        How to reject.
    calibration : bool
        Whether these are bias or dark frames: bad pixels are then summed, untested.
    shading : Shading
        Shutter shading to correct.
    keep_hits : bool
        Whether to keep the rejected pixels of each exposure.
    n_threads : int
        Threads to use; the result does not depend on it.
    block_rows : int
        Rows to work on at a time; the result does not depend on it either.
    report : callable
        Called with None now and then; an exception that it raises ends the work.

    Returns
    -------
    Combination

    Raises
    ------
    InvalidValue
        There are fewer than two exposures, an exposure time is negative, or only one of them is above 0.
    SizeMismatch
        The exposures differ in shape.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acsrej/acsrej_init.c``, ``acsrej_loop.c``.  Iterations follow one another at a distance
    of `crradius` rows, so that each exposure is read once, and any number of them fits in memory.
    """
    clock = effective_times(times)
    if len(images) < 2 or len(images) != len(clock):
        raise InvalidValue(
            f"{len(images)} exposures and {len(clock)} exposure times cannot be combined; give two or more"
        )
    if not bool((clock >= 0).all()) or np.count_nonzero(clock) < 2:
        raise InvalidValue(f"exposure times {clock.tolist()} s: none may be negative and two or more must be above 0")
    for image in images:
        if image.shape != images[0].shape:
            raise SizeMismatch(f"images of shapes {images[0].shape} and {image.shape} cannot be combined")
    skies = measure_sky(images, parameters, n_threads=n_threads)
    worker = _Rejection(images, clock, skies, parameters, calibration, shading, keep_hits, block_rows)
    worker.run(n_threads, report)
    hits = tuple(worker.hits)
    return Combination(worker.sci, worker.err, worker.dq, skies, tuple(worker.n_rejected), hits)


@dataclass(slots=True)
class _Rejection:
    """One combination at work.

    Iteration i works `width` rows behind iteration i - 1: it needs the final image of that one, as far as the neighbors of
    its cosmic rays reach.  `carried` holds the mask of the rows ahead of each iteration where those neighbors lie.
    """

    images: Sequence[Rows]
    times: Float
    skies: Float
    parameters: Parameters
    calibration: bool
    shading: Shading | None
    keep_hits: bool
    block_rows: int | None
    shape: tuple[int, int] = field(init=False)
    used: list[int] = field(init=False)
    width: int = field(init=False)
    sci: Float = field(init=False)
    err: Float = field(init=False)
    dq: NDArray[np.int16] = field(init=False)
    n_rejected: list[int] = field(init=False)
    hits: list[NDArray[np.uint8]] = field(init=False)
    carried: list[list[NDArray[np.int16]]] = field(init=False)
    finished: list[int] = field(init=False)
    blocks: dict[str, list[NDArray[Any]]] = field(init=False)
    masks: NDArray[np.int16] = field(init=False)
    raws: NDArray[np.int16] = field(init=False)
    sums: Float = field(init=False)
    seen: NDArray[np.int16] = field(init=False)

    def __post_init__(self) -> None:
        self.shape = n_row, n_col = self.images[0].shape
        n_image, n_iteration = len(self.images), len(self.parameters.crsigmas)
        self.used = [k for k in range(n_image) if self.times[k] > 0]
        self.width = math.ceil(self.parameters.crradius)
        self.sci, self.err = (np.empty(self.shape, np.float32) for _ in range(2))
        self.dq = np.empty(self.shape, np.int16)
        self.n_rejected = [0] * n_image
        packed = (n_row, (n_col + 7) // 8)
        self.hits = [np.zeros(packed, np.uint8) for _ in range(n_image)] if self.keep_hits else []
        empty = np.empty((0, n_col), np.int16)
        self.carried = [[empty] * n_image for _ in range(n_iteration)]
        self.finished = [0] * n_iteration
        if self.block_rows is None:
            limit = _BLOCK_BYTES // (14 * n_col * len(self.used))
            self.block_rows = max(min(_BLOCK_PIXELS // n_col, limit), 1)
        self.block_rows = min(self.block_rows, n_row)
        n_held = min(self.block_rows + self.width * (n_iteration + 1), n_row)
        self.masks = np.empty((len(self.used), n_held, n_col), np.int16)
        self.raws = np.empty((len(self.used), n_held, n_col), np.int16)
        self.sums = np.empty((3, n_held, n_col), np.float32)
        self.seen = np.empty((n_held, n_col), np.int16)

    def run(self, n_threads: int, report: Report | None = None) -> None:
        """Work through the rows."""
        n_row = self.shape[0]
        n_iteration = len(self.finished)
        assert self.block_rows is not None
        with thread_pool(n_threads) as run:
            guessed = 0
            while guessed < n_row:
                base, last = self.finished[-1], min(guessed + self.block_rows, n_row)
                if report is not None:
                    report(None)
                self._read(base, last, run)
                self._guess(base, guessed, last, n_threads, run)
                guessed = ready = last
                for iteration in range(n_iteration):
                    start, stop = self.finished[iteration], n_row if last == n_row else ready - self.width
                    if stop > start:
                        self._iterate(iteration, base, start, stop, n_threads, run)
                        self.finished[iteration] = stop
                    ready = self.finished[iteration]

    def _read(self, first: int, last: int, run: Any) -> None:
        def one(k: int) -> tuple[NDArray[Any], ...]:
            return tuple(self.images[k].read(plane, first, last) for plane in PLANES)

        planes = zip(*run([lambda k=k: one(k) for k in self.used]), strict=True)
        self.blocks = {plane: list(blocks) for plane, blocks in zip(PLANES, planes, strict=True)}

    def _guess(self, base: int, first: int, last: int, n_threads: int, run: Any) -> None:
        def one(rows: slice) -> None:
            here = slice(first - base + rows.start, first - base + rows.stop)
            images, index = [], {k: i for i, k in enumerate(self.used)}
            for k, time in enumerate(self.times):
                i = index.get(k, 0)  # the pixels of an exposure without time are not looked at
                images.append((self.blocks["SCI"][i][here], self.blocks["DQ"][i][here], time, self.skies[k]))
            core.guess(
                images,
                self.parameters.median,
                self.parameters.badinpdq,
                self.sci[first + rows.start : first + rows.stop],
            )

        run([lambda rows=rows: one(rows) for rows in split_rows(last - first, n_threads)])

    def _rule(self, iteration: int) -> tuple[float, float, float, float, int, int]:
        given = self.parameters
        sigma, radius, spread = (np.float32(v) for v in (given.crsigmas[iteration], given.crradius, given.crthresh))
        excluding = given.badinpdq & ~EXCLUDE if self.calibration else given.badinpdq
        return (
            float(sigma * sigma),
            float(np.float32(given.scalense) / np.float32(100.0)),
            float(spread * spread) if spread > 0 else -1.0,
            float(radius * radius),
            self.width,
            excluding,
        )

    def _iterate(self, iteration: int, base: int, start: int, stop: int, n_threads: int, run: Any) -> None:
        """One iteration for the rows start .. stop - 1."""
        is_last = iteration == len(self.finished) - 1
        held = min(stop + self.width, self.shape[0])
        rule = self._rule(iteration)
        here, guess = slice(start - base, held - base), self.sci[start:held]
        threshold = None if self.shading is None else self.shading.threshold[start:held]

        def scan(i: int, k: int) -> None:
            mask, carried = self.masks[i, : held - start], self.carried[iteration][k]
            mask[: len(carried)] = carried
            mask[len(carried) :] = self.blocks["DQ"][i][start - base + len(carried) : held - base]
            core.scan(
                self.blocks["SCI"][i][here],
                self.blocks["ERR"][i][here],
                self.times[k],
                self.skies[k],
                rule,
                guess,
                threshold,
                stop - start,
                mask,
                self.raws[i] if is_last else None,
            )
            self.carried[iteration][k] = mask[stop - start :].copy()

        run([lambda i=i, k=k: scan(i, k) for i, k in enumerate(self.used)])
        parts = split_rows(stop - start, n_threads)
        counts = run([lambda rows=rows: self._sum_up(rows, base, start, is_last) for rows in parts])
        if is_last:
            for per_image in counts:
                for k, n in zip(self.used, per_image, strict=True):
                    self.n_rejected[k] += n

    def _sum_up(self, rows: slice, base: int, start: int, is_last: bool) -> list[int]:
        """Average, or at the end combine, the rows `rows` counted from `start`; the number of pixels rejected."""
        there = slice(start + rows.start, start + rows.stop)
        here = slice(there.start - base, there.stop - base)
        sums = self.sums[:, rows]
        sums[...] = 0.0
        total, time, square = sums
        left_out = HIT | SPILL if self.calibration else HIT | SPILL | EXCLUDE
        shade = None if self.shading is None else self.shading.average[there]
        n_rejected = []
        if is_last:
            self.seen[rows] = 0
            self.dq[there] = DQ.COSMIC_RAY
        for i, k in enumerate(self.used):
            mask = self.masks[i, rows]
            sci, err = self.blocks["SCI"][i][here], self.blocks["ERR"][i][here]
            core.accumulate(
                sci, err, self.times[k], self.skies[k], mask, left_out, total, time, square if is_last else None
            )
            if is_last:
                hits = self.hits[k][there] if self.keep_hits else None
                n_rejected.append(
                    core.merge(mask, self.raws[i, rows], DQ.COSMIC_RAY, self.seen[rows], self.dq[there], hits)
                )
        if is_last:
            sky = total_sky(self.skies)
            core.finish(total, time, square, shade, float32_sum(self.times), sky, self.sci[there], self.err[there])
        else:
            core.average(total, time, shade, self.sci[there])
        return n_rejected


def make_shading(
    reference: Float, origin: tuple[int, int], ratio: tuple[int, int], shape: tuple[int, int], width: int
) -> Shading:
    """Shutter shading under an image.

    Parameters
    ----------
    reference : ndarray of float32, shape (n_ref_row, n_ref_col)
        Shading image (s).
    origin : tuple of int
        Reference column and row of the image's first pixel.
    ratio : tuple of int
        Columns and rows of the image per pixel of the reference.
    shape : tuple of int
        (n_row, n_col) of the image.
    width : int
        Rows that the search for neighbors looks ahead.

    Returns
    -------
    Shading

    Raises
    ------
    SizeMismatch
        The reference does not cover the image.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acsrej/acsrej_loop.c``, ``interpinfo.c``.
    """
    (x0, y0), (rx, ry), (n_row, n_col) = origin, ratio, shape
    n_section = 2 * ry  # the reference is expanded two rows at a time
    n_ref_row, n_ref_col = reference.shape
    if x0 < 0 or y0 < 0 or x0 * rx + n_col > n_ref_col * rx or y0 + -(-n_row // ry) > n_ref_row:
        raise SizeMismatch(
            f"SHADFILE: {n_ref_row} rows x {n_ref_col} columns do not cover the {n_row} x {n_col} pixels of the exposure at "
            f"row {y0}, column {x0}; use the reference file of this format"
        )
    first = x0 * rx

    def section(row: int) -> Float:
        below = y0 + row // ry
        lines = reference[[below, min(below + 1, n_ref_row - 1)]]
        return (_expand(lines, rx, ry) if (rx, ry) != (1, 1) else lines)[:, first : first + n_col]

    average, threshold = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    sections = {row: section(row) for row in range(0, n_row, n_section)}
    for row in range(n_row):
        average[row, : n_col // rx] = sections[row - row % n_section][row % n_section, : n_col // rx]
        # PARITY: the limits of a row are computed when it comes into view, from the section then at hand.
        seen_from = max(row - width, 0)
        threshold[row] = sections[seen_from - seen_from % n_section][row % n_section]
    return Shading(average, threshold)


def _expand(lines: Float, rx: int, ry: int) -> Float:
    """Expand two lines by bilinear interpolation, in single precision."""
    n_col = lines.shape[1]
    one = np.float32(1.0)

    def places(n: int, factor: int, n_known: int) -> tuple[NDArray[np.intp], Float, Float]:
        place = np.arange(n, dtype=np.float32) / np.float32(factor)
        below = np.clip(place.astype(np.intp), 0, n_known - 2)
        upper = (place - below.astype(np.float32)).astype(np.float32)
        return below, (one - upper).astype(np.float32), upper

    j, r, s = places(2 * ry, ry, 2)
    i, p, q = places(n_col * rx, rx, n_col)
    r, s = r[:, None], s[:, None]
    result = p * r * lines[np.ix_(j, i)] + q * r * lines[np.ix_(j, i + 1)]
    result = result + p * s * lines[np.ix_(j + 1, i)]
    expanded: Float = result + q * s * lines[np.ix_(j + 1, i + 1)]
    return expanded
