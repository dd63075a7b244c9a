"""Statistics of the good pixels in the headers; has no switch.

Units   electron.
Kernel  csrc/stat.c.
Origin  HSTCAL pkg/acs/lib/dostat.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from calacs._core import stat as core
from calacs.dq import serious_bits
from calacs.exposure import ImSet
from calacs.parallel import run_parallel
from calacs.step import Job, Result, step


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest, largest and mean value."""

    min: float
    max: float
    mean: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of the good pixels of an image.

    Attributes
    ----------
    n_good : int
        Pixels without serious flag and with an uncertainty above 0.
    n_no_error : int
        Pixels left out for their uncertainty alone.
    sci, err, snr : Range or None
        Value, uncertainty and their ratio; None where no pixel is good.
    """

    n_good: int
    n_no_error: int
    sci: Range | None = None
    err: Range | None = None
    snr: Range | None = None


def statistics_of(
    sci: NDArray[np.float32], err: NDArray[np.float32], dq: NDArray[np.int16], bad_bits: int
) -> Statistics:
    """Take the statistics of pixels that have none of the DQ bits `bad_bits` and whose uncertainty is above 0.

    Parameters
    ----------
    sci, err, dq : ndarray, shape (n_row, n_col)
        An image set.
    bad_bits : int
        As of `calacs.dq.serious_bits`.
    """
    n_good, n_no_error, *ranges = core.good(sci, err, dq, bad_bits)
    if n_good == 0:
        return Statistics(0, n_no_error)
    return Statistics(n_good, n_no_error, *(Range(low, high, total / n_good) for total, low, high in ranges))


@step("statistics", switch=False)
def stat(job: Job) -> Result:
    """Write number, extremes and mean of the good pixels."""
    found = run_parallel(
        [
            partial(statistics_of, imset.sci, imset.err, imset.dq, serious_bits(imset.header["SCI"]))
            for imset in job.exposure
        ],
        job.n_threads,
    )
    for imset, statistics in zip(job.exposure.imsets, found, strict=True):
        if statistics.n_good == 0:
            job.warn(f"image set {imset.extver}: {why_none(imset, statistics)}")
        write_cards(imset, statistics)
    good = [one.sci for one in found if one.sci is not None]
    return Result({"n_good": [one.n_good for one in found], "mean": [one.mean for one in good]})


def why_none(imset: ImSet, statistics: Statistics) -> str:
    """Say why an image set has no good pixel."""
    if imset.sci.size == 0:
        return "Output image size is zero."
    if statistics.n_no_error == imset.sci.size:
        return "No ERR values > 0."
    if statistics.n_no_error > 0:
        return "All output pixels either flagged as bad or ERR <= 0."
    return "All output pixels flagged as bad."


def write_cards(imset: ImSet, found: Statistics) -> None:
    """Write statistics into the headers of an image set."""
    sci, err = imset.header["SCI"], imset.header["ERR"]
    comment = "number of good pixels" if found.n_good else ""
    for header in (sci, err):
        header.set("NGOODPIX", found.n_good, comment)
    for header, prefix, values, kind in (
        (sci, "GOOD", found.sci, ("minimum good data value", "maximum good data value", "average of good data values")),
        (
            sci,
            "SNR",
            found.snr,
            ("minimum S/N of good data values", "maximum S/N of good data values", "mean S/N of good data values"),
        ),
        (
            err,
            "GOOD",
            found.err,
            ("minimum sigma for good data", "maximum sigma for good data", "average of sigma for good data"),
        ),
    ):
        if values is not None:
            for name, value, text in zip(
                ("MIN", "MAX", "MEAN"), (values.min, values.max, values.mean), kind, strict=True
            ):
                header.set(prefix + name, np.float32(value), text)
