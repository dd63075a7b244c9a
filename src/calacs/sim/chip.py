"""One chip, from the light that falls on it to its raw frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import geometry, readout
from .amplifiers import ccd_values
from .constants import CONSTANTS
from .effects import Streams
from .geometry import Readout
from .references import ReferenceSet
from .scene import cosmic_rays
from .simulation import Truth

__all__ = ["collect", "count", "read"]

Float = NDArray[np.float32]


def collect(
    expected: Float,
    frame: Readout,
    refs: ReferenceSet,
    on: frozenset[str],
    *,
    exptime: float,
    dark_time: float,
    flash: float,
    mjd: float,
) -> Float:
    """Return the mean charge in the pixels: light through the optics, dark current, flash."""
    where = frame.on_chip
    mean = expected.copy()
    if "flat" in on:
        mean *= refs.image("PFLTFILE", frame.chip).sci[where]
    if "delta_flat" in on:
        mean *= refs.image("DFLTFILE", frame.chip).sci[where]
    if "spots" in on:
        mean *= _shifted_spots(refs, mjd)[where]
    if "shading" in on and exptime > 0:
        mean *= 1 + refs.image("SHADFILE", frame.chip).sci[where] * np.float32(1.0 / exptime)
    if "dark" in on:
        # What the pixels generate is the dark without trails, unless nothing else makes trails.
        name = "DRKCFILE" if "cte" in on else "DARKFILE"
        mean += refs.image(name, frame.chip).sci[where] * np.float32(dark_time)
    if flash > 0:
        mean += refs.image("FLSHFILE", frame.chip).sci[where] * np.float32(flash)
    return mean


def count(
    mean: Float, expected: Float, on: frozenset[str], random: Streams, exptime: float
) -> tuple[NDArray[np.uint16], Truth, float]:
    """Return the raw image of the photon counter, its truth, and the global count rate."""
    rate = float(mean.sum(dtype=float)) / exptime if exptime else 0.0
    if "nonlinearity" in on:
        loss = float(np.exp(-CONSTANTS["sbc"]["tau"] * rate))
        mean *= np.float32(loss)
        rate *= loss
    counts = random("poisson").poisson(mean) if "poisson" in on else np.rint(mean)
    limit = CONSTANTS["atod"]["saturation"]
    data = np.minimum(counts, limit).astype(np.uint16)
    blank = np.zeros(mean.shape, bool)
    return data, Truth(expected, np.zeros_like(mean), mean, blank, data == limit, blank, {}), rate


def _shifted_spots(refs: ReferenceSet, mjd: float) -> Float:
    dx, dy = refs.spot_shift(mjd)
    image = refs.image("CFLTFILE").sci
    n_row, n_col = image.shape
    out = np.ones_like(image)
    x, y = np.arange(n_col) - dx, np.arange(n_row) - dy
    cols, rows = (x >= 0) & (x < n_col - 1), (y >= 0) & (y < n_row - 1)
    ix, iy = np.floor(x[cols]).astype(int), np.floor(y[rows]).astype(int)
    fx = (x[cols] - ix).astype(np.float32)
    fy = (y[rows] - iy).astype(np.float32)[:, None]
    grid = np.ix_(iy, ix)
    right, upper, both = np.ix_(iy, ix + 1), np.ix_(iy + 1, ix), np.ix_(iy + 1, ix + 1)
    out[np.ix_(rows, cols)] = (1 - fy) * ((1 - fx) * image[grid] + fx * image[right]) + fy * (
        (1 - fx) * image[upper] + fx * image[both]
    )
    return out


def read(
    mean: Float,
    expected: Float,
    frame: Readout,
    refs: ReferenceSet,
    on: frozenset[str],
    random: Streams,
    *,
    gain: float,
    mjd: float,
    time: float,
    modern: bool,
    shifted: bool,
    n_threads: int,
) -> tuple[NDArray[np.uint16], Truth]:
    """Return the raw frame of a CCD chip and its truth."""
    own = CONSTANTS[frame.detector.lower()]
    structure = CONSTANTS["bias"]
    values = ccd_values(frame.detector, gain)
    on_reference = frame.on_reference()
    charge = mean
    if "poisson" in on:
        charge = random("poisson", frame.chip).poisson(np.maximum(mean, 0)).astype(np.float32)
    hits = np.zeros(frame.trimmed_shape, np.float32)
    if "cosmic_rays" in on:
        hits = cosmic_rays(frame.trimmed_shape, own["cosmic_ray_rate"], time, random("cosmic_rays", frame.chip))
        charge = charge + hits
    full = np.zeros(frame.trimmed_shape, bool)
    if "full_well" in on:
        full = readout.full_well(charge, refs.image("SATUFILE", frame.chip).sci[on_reference][frame.illuminated])
    collected = charge
    if "cte" in on:
        charge = readout.transfer(charge, frame, refs, mjd, n_threads)
    sunk = np.zeros(frame.trimmed_shape, bool)
    if "sink" in on:
        codes = refs.image("SNKCFILE", frame.chip).sci[on_reference][frame.illuminated]
        sunk = codes < -1
        charge = charge.copy()
        readout.sinks(charge, codes)

    image = readout.with_overscan(charge, frame)
    if "stripes" in on and modern and not frame.subarray:
        half = frame.n_col // 2
        noise = readout.stripes((frame.n_row, half), half, random("stripes"))
        for region in frame.regions:
            readout.amp_view(image[region.slices], region.amp)[:] += noise
    if "crosstalk" in on and shifted and not frame.subarray:
        readout.crosstalk(image)
    level: dict[str, float] = {}
    change = random("bias_level", frame.chip)
    sections = geometry.overscan_sections(frame)
    for region in frame.regions:
        departure = structure["level_rms"] * change.standard_normal()
        if "bias_level" not in on or not frame.has_overscan:
            departure = 0.0
        level[region.amp] = values.gain[region.amp] * (values.bias_level[region.amp] + departure)
        image[region.slices] += np.float32(level[region.amp])
        classic = not modern or (frame.subarray and not shifted)
        if "bias_level" in on and classic and frame.has_virtual:
            # The pipeline refers the drift along the lines to the middle of the amplifier's overscan section.
            center = sections[0 if len(sections) == 1 or region.x0 == 0 else 1]
            line = np.arange(region.x0, region.x1) - 0.5 * (center[0] + center[1] - 2)
            image[region.slices] += (structure["drift"] * line).astype(np.float32)
            rows = np.arange(region.y0, region.y1) - 0.5 * frame.n_row
            image[region.slices] += (structure["slope"] * rows).astype(np.float32)[:, None]
        if "bias_shift" in on and shifted:
            readout.bias_shift(image, region, level[region.amp])
    noise_source = random("read_noise", frame.chip)
    if "read_noise" in on:
        for region in frame.regions:
            part = image[region.slices]
            noise = noise_source.standard_normal(part.shape, np.float32)
            noise *= np.float32(values.read_noise[region.amp])
            part += noise
    bias = refs.image("BIASFILE", frame.chip).sci[on_reference] if "bias_structure" in on else None
    data = readout.digitize(image, frame, values.gain, bias)
    limit = data[frame.illuminated] >= CONSTANTS["atod"]["saturation"]
    return data, Truth(expected, hits, collected, full, limit, sunk, level)
