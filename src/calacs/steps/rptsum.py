"""RPTCORR of SBC data: sum repeated exposures.

Units   any -> the same.
Kernel  csrc/imarith.c: cal_imarith_square, cal_imarith_sum, cal_imarith_root.
Origin  HSTCAL pkg/acs/lib/acssum/acssum.c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs._core import imarith
from calacs.exposure import ImSet

Float = NDArray[np.float32]
Flags = NDArray[np.int16]


def start_sum(sci: Float, var: Float, dq: Flags, new_sci: Float, new_err: Float, new_dq: Flags) -> None:
    """Begin a sum with the first image; `var` becomes its variance, err^2."""
    sci[...], var[...], dq[...] = new_sci, new_err, new_dq
    imarith.square(var)


def add_image(sci: Float, var: Float, dq: Flags, new_sci: Float, new_err: Float, new_dq: Flags) -> None:
    """Add an image to a sum, in place: values and variances in single precision, flags by OR."""
    imarith.sum(sci, var, dq, new_sci, new_err, new_dq)


def finish_sum(var: Float) -> None:
    """Turn the variances of a sum into uncertainties, in place."""
    imarith.root(var)


def write_statistics(imset: ImSet, bad_bits: int) -> tuple[dict[str, Any], str]:
    """Write number, extremes and mean of the good pixels into the headers of an image set.

    Parameters
    ----------
    imset : ImSet
        Pixels without any of `bad_bits` and with an uncertainty above 0 are good.
    bad_bits : int
        DQ bits, as 16 bits.

    Returns
    -------
    values : dict
        What was written into the SCI header.
    note : str
        Why no pixel is good, or empty.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/dostat.c``: sums in double precision, pixel by pixel.
    """
    unflagged = imset.dq & np.uint16(bad_bits & 0xFFFF).astype(np.int16) == 0
    good = unflagged & (imset.err > 0.0)
    n_good = int(np.count_nonzero(good))
    headers = imset.header["SCI"], imset.header["ERR"]
    for header in headers:
        header.set("NGOODPIX", n_good, "number of good pixels" if n_good else "")
    if n_good == 0:
        n_unflagged = int(np.count_nonzero(unflagged))
        if n_unflagged == imset.sci.size:
            return {"NGOODPIX": 0}, "No ERR values > 0."
        if n_unflagged:
            return {"NGOODPIX": 0}, "All output pixels either flagged as bad or ERR <= 0."
        return {"NGOODPIX": 0}, "All output pixels flagged as bad."
    sci, err = imset.sci[good].astype(np.float64), imset.err[good].astype(np.float64)
    for header, prefix, pixels, texts in (
        (
            headers[0],
            "GOOD",
            sci,
            ("minimum good data value", "maximum good data value", "average of good data values"),
        ),
        (
            headers[0],
            "SNR",
            sci / err,
            ("minimum S/N of good data values", "maximum S/N of good data values", "mean S/N of good data values"),
        ),
        (
            headers[1],
            "GOOD",
            err,
            ("minimum sigma for good data", "maximum sigma for good data", "average of sigma for good data"),
        ),
    ):
        numbers = float(pixels.min()), float(pixels.max()), float(np.cumsum(pixels)[-1]) / n_good
        for name, number, text in zip(("MIN", "MAX", "MEAN"), numbers, texts, strict=True):
            header.set(prefix + name, np.float32(number), text)
    names = ("NGOODPIX", "GOODMIN", "GOODMAX", "GOODMEAN", "SNRMIN", "SNRMAX", "SNRMEAN")
    return {name: headers[0].get(name) for name in names}, ""
