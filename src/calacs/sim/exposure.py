"""Simulated exposures and associations, with their truth."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import files, geometry, headers, readout
from .constants import CONSTANTS, SM4
from .files import Hdu
from .geometry import Readout
from .references import ReferenceSet, ccd_values
from .scene import Scene, cosmic_rays

__all__ = ["ALL_EFFECTS", "DEFAULT_EFFECTS", "Association", "Simulation", "Truth", "simulate", "simulate_association"]

Float = NDArray[np.float32]

# The order numbers the random streams: append only.
ALL_EFFECTS = (
    "flat", "delta_flat", "spots", "shading", "dark", "flash", "poisson", "cosmic_rays", "full_well", "cte", "sink",
    "stripes", "crosstalk", "bias_shift", "bias_level", "read_noise", "bias_structure", "nonlinearity",
)  # fmt: skip
"""Everything that can happen to an exposure, in the order in which it happens."""

DEFAULT_EFFECTS: Mapping[str, frozenset[str]] = {
    "WFC": frozenset(ALL_EFFECTS) - {"delta_flat", "spots", "shading", "cte", "nonlinearity"},
    "HRC": frozenset(ALL_EFFECTS)
    - {"delta_flat", "spots", "shading", "cte", "sink", "flash", "stripes", "crosstalk", "bias_shift", "nonlinearity"},
    "SBC": frozenset({"flat", "poisson", "nonlinearity"}),
}
"""Effects that are on by default, by detector."""

_POSSIBLE: Mapping[str, frozenset[str]] = {
    "WFC": frozenset(ALL_EFFECTS) - {"spots", "nonlinearity"},
    "HRC": frozenset(ALL_EFFECTS) - {"flash", "cte", "sink", "stripes", "crosstalk", "bias_shift", "nonlinearity"},
    "SBC": frozenset({"flat", "delta_flat", "dark", "poisson", "nonlinearity"}),
}
_SCALE = {"WFC": 0.05, "HRC": 0.027, "SBC": 0.032}  # arcsec / pixel, ACS Instrument Handbook


@dataclass(frozen=True)
class Truth:
    """What an image set would be without the instrument.

    Attributes
    ----------
    sci : ndarray of float32
        Expected calibrated image (flt) without cosmic rays and noise, electron, trimmed.
    cosmic_rays : ndarray of float32
        Charge left by cosmic rays, electron, before division by the flat.
    charge : ndarray of float32
        Charge collected in the pixels (with dark current, flash, noise, cosmic rays, full wells),
        before the transfer to the amplifiers; what a perfect overscan correction leaves (blv_tmp).
    full : ndarray of bool
        Pixels whose wells were full.
    converter_full : ndarray of bool
        Pixels at the end of the converter's range (DQ 2048), trimmed.
    sink : ndarray of bool
        Sink pixels that lost charge.
    level : mapping of str to float
        Bias level of each amplifier, electron.
    """

    sci: Float
    cosmic_rays: Float
    charge: Float
    full: NDArray[np.bool_]
    converter_full: NDArray[np.bool_]
    sink: NDArray[np.bool_]
    level: Mapping[str, float]


@dataclass(frozen=True)
class Simulation:
    """A simulated exposure.

    Attributes
    ----------
    rootname : str
    detector : str
    effects : frozenset of str
    frames : tuple of Readout
        Geometry of the image sets, in the order of EXTVER.
    raw : tuple of ndarray of uint16
        Untrimmed frames, DN (SBC: counts).
    truth : tuple of Truth
    values : mapping
        Primary header values (exposure time, filters, switches, reference files ...).
    dark_time : float
        Time during which dark current was collected, s.
    global_rate : float
        Counts per second over the detector (SBC).
    references : ReferenceSet
    """

    rootname: str
    detector: str
    effects: frozenset[str]
    frames: tuple[Readout, ...]
    raw: tuple[NDArray[np.uint16], ...]
    truth: tuple[Truth, ...]
    values: Mapping[str, object]
    dark_time: float
    global_rate: float
    references: ReferenceSet = field(repr=False)

    @property
    def filename(self) -> str:
        """Name of the raw file."""
        return f"{self.rootname}_raw.fits"

    @cached_property
    def _hdus(self) -> list[Hdu]:
        hdus = [files.primary_hdu(headers.fill(headers.PRIMARY[self.detector], self.values))]
        for frame, data in zip(self.frames, self.raw, strict=True):
            hdus += _image_set(self, frame, data)
        return hdus

    def hdus(self) -> list[Hdu]:
        """Return the HDUs of the raw file."""
        return list(self._hdus)

    def to_hdulist(self) -> Any:
        """Return the raw file as an `astropy.io.fits.HDUList`."""
        return files.to_hdulist(self._hdus)

    def write(self, folder: str | os.PathLike[str], *, spt: bool = False, overwrite: bool = False) -> Path:
        """Write the raw file.

        Parameters
        ----------
        folder : path
            Made if it does not exist.
        spt : bool
            Write the support file as well.
        overwrite : bool

        Returns
        -------
        Path
            Of the raw file.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        if spt:
            files.write(target / f"{self.rootname}_spt.fits", _support(self), overwrite=overwrite)
        return files.write(target / self.filename, self._hdus, overwrite=overwrite)

    def needed_references(self) -> tuple[str, ...]:
        """Return the header keywords of the reference files that the steps to be performed read."""
        perform = {key for key, value in self.values.items() if value == "PERFORM"}
        wanted = {"CCDTAB", "OSCNTAB", "BPIXTAB", "IMPHTTAB"}
        for switch, keywords in _STEP_REFERENCES.items():
            if switch in perform:
                wanted.update(keywords)
        return tuple(key for key in self.references.names if key in wanted and self.values.get(key, "N/A") != "N/A")

    def write_references(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write the reference files that the exposure needs and that are not in `folder` yet.

        Returns
        -------
        dict
            Header keyword to path, of all that it needs.
        """
        target = Path(folder)
        paths = {key: target / self.references.names[key] for key in self.needed_references()}
        self.references.write(target, [key for key, path in paths.items() if not path.exists()])
        return paths


# PCTECORR needs both darks: flt is made with one, flc with the other.
_STEP_REFERENCES: Mapping[str, tuple[str, ...]] = {
    "ATODCORR": ("ATODTAB",),
    "BIASCORR": ("BIASFILE", "SATUFILE"),
    "SINKCORR": ("SNKCFILE",),
    "FLSHCORR": ("FLSHFILE",),
    "SHADCORR": ("SHADFILE",),
    "PCTECORR": ("PCTETAB", "DRKCFILE"),
    "DARKCORR": ("DARKFILE",),
    "FLATCORR": ("PFLTFILE", "DFLTFILE", "CFLTFILE", "SPOTTAB"),
    "CRCORR": ("CRREJTAB",),
    "RPTCORR": ("CRREJTAB",),
    "GLINCORR": ("MLINTAB",),
    "LFLGCORR": ("MLINTAB",),
}


def _image_set(simulation: Simulation, frame: Readout, data: NDArray[np.uint16]) -> list[Hdu]:
    n_row, n_col = frame.shape
    ltv = frame.ltv
    full = geometry.chip_shape(frame.detector, trimmed=True)
    degree = _SCALE[frame.detector] / 3600.0
    values: dict[str, object] = {
        "EXTVER": frame.extver,
        "CCDCHIP": frame.chip if frame.detector == "WFC" else None,
        "ROOTNAME": simulation.rootname,
        "EXPNAME": simulation.rootname,
        "CRPIX1": full[1] / 2.0 + ltv[0],
        "CRPIX2": full[0] / 2.0 + ltv[1],
        "CD1_1": round(degree, 12),
        "CD2_2": round(degree, 12),
        "LTV1": float(ltv[0]),
        "LTV2": float(ltv[1]),
        "RAW_LTV1": float(ltv[0]),
        "RAW_LTV2": float(ltv[1]),
        "CENTERA1": n_col // 2 - ltv[0] + 1,
        "CENTERA2": n_row // 2 - ltv[1] + 1,
        "SIZAXIS1": n_col,
        "SIZAXIS2": n_row,
    }
    low, high, mean = float(data.min()), float(data.max()), float(data.mean())
    science = values | {
        "EXTNAME": "SCI",
        "DATAMIN": low,
        "DATAMAX": high,
        "GOODMIN": low,
        "GOODMAX": high,
        "GOODMEAN": round(mean, 9),
        "NGOODPIX": data.size,
    }
    if frame.detector == "SBC":
        science["GLOBRATE"] = simulation.global_rate
    templates = headers.EXTENSION[frame.detector]
    known = {name: {line.split(" ", 1)[0] for line in text.splitlines()} for name, text in templates.items()}
    hdus = []
    for name in ("SCI", "ERR", "DQ"):
        chosen = science if name == "SCI" else values | {"EXTNAME": name, "NPIX1": n_col, "NPIX2": n_row}
        cards = headers.fill(templates[name], {key: value for key, value in chosen.items() if key in known[name]})
        if name == "SCI":
            hdus.append(files.image_hdu(data, cards, unsigned=True))
        else:
            hdus.append(files.constant_hdu(0.0 if name == "ERR" else 0, (n_row, n_col), cards))
    return hdus


def _support(simulation: Simulation) -> list[Hdu]:
    name = f"{simulation.rootname}_spt.fits"
    values = {
        "FILENAME": name,
        "ROOTNAME": simulation.rootname,
        "OBSERVTN": simulation.rootname[6:9].upper(),
        **{key: simulation.values[key] for key in ("ASN_ID", "ASN_TAB", "ASN_MTYP") if key in simulation.values},
    }
    packet = np.arange(965, dtype=np.int16)
    return [
        files.primary_hdu(headers.fill(headers.SPT, values)),
        files.image_hdu(packet, (), "UDL", 1),
    ]


def _date(mjd: float) -> tuple[str, str]:
    moment = datetime.datetime(1858, 11, 17) + datetime.timedelta(days=mjd)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")


def _effects(detector: str, chosen: Iterable[str] | str | None) -> frozenset[str]:
    if chosen is None:
        return DEFAULT_EFFECTS[detector]
    names = _POSSIBLE[detector] if chosen == "all" else frozenset({chosen} if isinstance(chosen, str) else chosen)
    unknown = names - set(ALL_EFFECTS)
    if unknown:
        raise ValueError(f"unknown effects {sorted(unknown)}; known: {', '.join(ALL_EFFECTS)}")
    impossible = names - _POSSIBLE[detector]
    if impossible:
        possible = ", ".join(sorted(_POSSIBLE[detector]))
        raise ValueError(f"{detector} has no {', '.join(sorted(impossible))}; it has {possible}")
    return names


class _Streams:
    """Random numbers by effect: switching one effect off leaves those of the others as they are."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, effect: str, part: int = 0) -> np.random.Generator:
        key = (3, 0, part) if effect == "scene" else (0, ALL_EFFECTS.index(effect), part)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def simulate(
    detector: str = "WFC",
    *,
    seed: int = 0,
    aperture: str = "",
    amps: str = "",
    subarray: tuple[int, int, int, int] | None = None,
    gain: float = 2.0,
    filters: tuple[str, str] | None = None,
    exptime: float = 500.0,
    mjd: float | None = None,
    readout_type: str | None = None,
    flash: float = 0.0,
    scene: Scene | None = None,
    scene_seed: int | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
    effects: Iterable[str] | str | None = None,
    references: ReferenceSet | None = None,
    reference_folder: str = "jref$",
    rootname: str = "",
    keywords: Mapping[str, object] | None = None,
    n_threads: int = 1,
) -> Simulation:
    """Simulate one raw exposure.

    Parameters
    ----------
    detector : {"WFC", "HRC", "SBC"}
    seed : int
        All random numbers follow from it.
    aperture : str
        Full frame by default; ``geometry.aperture_names(detector)`` lists the known ones.
    amps : str
        CCDAMP: one amplifier for a WFC subarray; A, B, C, D, AB, CD, AD, BC, AC, BD or ABCD for the HRC.
    subarray : (x, y, n_col, n_row), optional
        A frame without overscan on the chip of `amps`, zero-based trimmed coordinates.
    gain : float
        CCDGAIN.
    filters : (str, str), optional
        FILTER1, FILTER2.
    exptime : float
        s.
    mjd : float, optional
        Start of the exposure; by default 57785.4 (WFC), 53000 (HRC), 55000 (SBC).
    readout_type : {"DS_int", "CLAMP"}, optional
        JWROTYPE after SM4; by default DS_int if the bias shift or the cross-talk is on.
    flash : float
        Duration of the post-flash, s.
    scene : Scene, optional
    scene_seed : int, optional
        Places the stars; `seed` by default.
    offset : (x, y)
        Dither of the scene, pixels.
    effects : iterable of str, "all", or None
        What happens to the exposure (`ALL_EFFECTS`); None: the default of the detector.  Calibration
        switches follow: a step whose effect is off is set to OMIT.
    references : ReferenceSet, optional
        By default ``ReferenceSet(detector, seed=0)``.  Pass one set to many calls: it keeps its images.
    reference_folder : str
        Put in front of the reference names in the header.
    rootname : str
        Nine characters.
    keywords : mapping, optional
        Primary header values that replace all others; None removes a keyword.
    n_threads : int
        Threads to use; the result does not depend on them.

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        Unknown detector, aperture, amplifiers, gain or effect; negative times.

    Examples
    --------
    >>> exposure = simulate("HRC", seed=3, exptime=60.0, effects={"flat", "read_noise"})
    >>> exposure.raw[0].shape
    (1044, 1062)
    """
    if detector not in DEFAULT_EFFECTS:
        raise ValueError(f"detector {detector!r} is not one of WFC, HRC, SBC")
    if exptime < 0 or flash < 0:
        raise ValueError(f"negative time: exptime {exptime}, flash {flash}")
    on = _effects(detector, effects)
    start = {"WFC": 57785.4, "HRC": 53000.0, "SBC": 55000.0}[detector] if mjd is None else float(mjd)
    frames = geometry.readouts(detector, aperture, amps=amps, mjd=start, subarray=subarray)
    refs = ReferenceSet(detector) if references is None else references
    if refs.detector != detector:
        raise ValueError(f"the references are those of {refs.detector}, the exposure is {detector}")
    random = _Streams(seed)
    sky = Scene() if scene is None else scene
    place = _Streams(seed if scene_seed is None else scene_seed)
    root = rootname or f"j{detector[0].lower()}sim{seed % 1000:03d}q"

    # Bias shift and cross-talk are those of the dual-slope readout at gain 2, the only one that is corrected.
    modern = detector == "WFC" and start >= SM4
    kind = readout_type
    if kind is None and modern:
        kind = "DS_int" if on & {"bias_shift", "crosstalk"} else "CLAMP"
    slope_readout = modern and (kind or "").upper() == "DS_INT" and gain == 2.0
    shifted = slope_readout and (
        not frames[0].subarray or (frames[0].aperture in geometry.bias_shift_apertures() and frames[0].has_virtual)
    )

    duration = flash if "flash" in on else 0.0
    header_time = float(np.float32(exptime + duration))
    overhead = 0.0
    if detector != "SBC" and geometry.has_overhead(frames[0].aperture, start, subarray=frames[0].subarray):
        own = CONSTANTS[detector.lower()]
        overhead = own["overhead_flashed"] if duration > 0 else own["overhead_unflashed"]
    dark_time = header_time + overhead if detector != "SBC" else exptime

    def expose(frame: Readout) -> tuple[NDArray[np.uint16], Truth, float]:
        expected = sky.render(frame, place("scene", frame.chip), offset)
        expected *= np.float32(exptime)
        mean = _collect(expected, frame, refs, on, exptime=exptime, dark_time=dark_time, flash=duration, mjd=start)
        if detector == "SBC":
            return _count(mean, expected, on, random, exptime)
        data, real = _read(
            mean, expected, frame, refs, on, random,
            gain=gain, mjd=start, time=exptime + duration, modern=modern, shifted=shifted, n_threads=n_threads,
        )  # fmt: skip
        return data, real, 0.0

    if n_threads > 1 and len(frames) > 1:
        with ThreadPoolExecutor(len(frames)) as pool:
            parts = list(pool.map(expose, frames))
    else:
        parts = [expose(frame) for frame in frames]
    raw, truth, rates = zip(*parts, strict=True)

    values = _primary_values(
        detector, root, frames[0], on, refs,
        gain=gain, exptime=exptime, mjd=start, kind=kind or "", flash=duration, dark_time=header_time,
        filters=filters, folder=reference_folder,
    )  # fmt: skip
    values |= dict(keywords or {})
    return Simulation(root, detector, on, frames, raw, truth, values, dark_time, sum(rates), refs)


def _collect(
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


def _count(
    mean: Float, expected: Float, on: frozenset[str], random: _Streams, exptime: float
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


def _read(
    mean: Float,
    expected: Float,
    frame: Readout,
    refs: ReferenceSet,
    on: frozenset[str],
    random: _Streams,
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


def _primary_values(
    detector: str,
    root: str,
    frame: Readout,
    on: frozenset[str],
    refs: ReferenceSet,
    *,
    gain: float,
    exptime: float,
    mjd: float,
    kind: str,
    flash: float,
    dark_time: float,
    filters: tuple[str, str] | None,
    folder: str,
) -> dict[str, object]:
    def switch(*effects: str) -> str:
        return "PERFORM" if on & set(effects) else "OMIT"

    first, second = (
        filters
        or {
            "WFC": ("F606W", "CLEAR2L"),
            "HRC": ("F606W", "CLEAR2S"),
            "SBC": ("F125LP", "N/A"),
        }[detector]
    )
    day, clock = _date(mjd)
    names = refs.header_values(folder)
    needed = {"delta_flat": "DFLTFILE", "spots": "CFLTFILE", "shading": "SHADFILE"}
    for effect, keyword in needed.items():
        if effect not in on:
            names.pop(keyword, None)
    if "spots" not in on:
        names.pop("SPOTTAB", None)
    # A low-order flat ends the official program, so that none is named.
    names.pop("LFLTFILE", None)
    if not on & {"flat"}:
        names.pop("PFLTFILE", None)
    values: dict[str, object] = {
        "FILENAME": f"{root}_raw.fits",
        "ROOTNAME": root,
        "DATE-OBS": day,
        "TIME-OBS": clock,
        "EXPSTART": mjd,
        "EXPEND": mjd + exptime / 86400.0,
        "EXPTIME": float(exptime),
        "SUBARRAY": frame.subarray,
        "DETECTOR": detector,
        "FILTER1": first,
        "FILTER2": second,
        "APERTURE": frame.aperture,
        "PROPAPER": frame.aperture,
        "FLATCORR": switch("flat", "delta_flat"),
        "DARKCORR": switch("dark"),
        **names,
    }
    if detector == "SBC":
        values |= {"GLINCORR": switch("nonlinearity"), "LFLGCORR": switch("nonlinearity")}
        return values
    values |= {
        "NEXTEND": 6 if detector == "WFC" and not frame.subarray else 3,
        "OBSTYPE": "CORONAGRAPHIC" if "spots" in on else "IMAGING",
        "CCDAMP": frame.ccdamp,
        "CCDGAIN": float(gain) if detector == "WFC" else int(gain),
        "DARKTIME": dark_time,
        "BIASCORR": switch("bias_structure"),
        "SINKCORR": switch("sink"),
        "SHADCORR": switch("shading"),
        "PCTECORR": switch("cte"),
        "FLSHCORR": "PERFORM" if flash > 0 else "OMIT",
        "FLASHDUR": float(flash),
        "FLASHCUR": "LOW" if flash > 0 else "OFF",
        "FLASHSTA": "SUCCESSFUL" if flash > 0 else "NOT PERFORMED",
    }
    if detector == "WFC":
        values["JWROTYPE"] = kind
    return values


@dataclass(frozen=True)
class Association:
    """Exposures that belong together.

    Attributes
    ----------
    rootname : str
        Of the association table.
    members : tuple of Simulation
    rows : tuple of (str, str, bool)
        MEMNAME, MEMTYPE, MEMPRSNT of the table.
    """

    rootname: str
    members: tuple[Simulation, ...]
    rows: tuple[tuple[str, str, bool], ...]

    @property
    def filename(self) -> str:
        """Name of the association table."""
        return f"{self.rootname}_asn.fits"

    def hdus(self) -> list[Hdu]:
        """Return the HDUs of the association table."""
        values = {
            "FILENAME": self.filename,
            "ROOTNAME": self.rootname,
            "DETECTOR": self.members[0].detector,
            "ASN_ID": self.rootname,
            "ASN_TAB": self.filename,
        }
        names, types, present = zip(*self.rows, strict=True)
        table = files.table_hdu(
            [
                files.Column("MEMNAME", "14A", [name.upper() for name in names], display="A14"),
                files.Column("MEMTYPE", "14A", types, display="A14"),
                files.Column("MEMPRSNT", "L", present, display="L6"),
            ],
            [files.card("ROOTNAME", self.rootname, "rootname of the observation set", "34")],
            "ASN",
        )
        return [files.primary_hdu(headers.fill(headers.ASN, values)), table]

    def write(self, folder: str | os.PathLike[str], *, spt: bool = True, overwrite: bool = False) -> Path:
        """Write table, raw files and support files.

        Returns
        -------
        Path
            Of the association table.
        """
        target = Path(folder)
        for member in self.members:
            member.write(target, spt=spt, overwrite=overwrite)
        return files.write(target / self.filename, self.hdus(), overwrite=overwrite)


def simulate_association(
    kind: str = "CR-SPLIT",
    detector: str = "WFC",
    *,
    n_exposure: int = 2,
    n_position: int = 1,
    seed: int = 0,
    step: tuple[float, float] = (12.5, 7.25),
    rootname: str = "",
    exptime: float | Sequence[float] = 500.0,
    mjd: float | None = None,
    keywords: Mapping[str, object] | None = None,
    references: ReferenceSet | None = None,
    **options: Any,
) -> Association:
    """Simulate the exposures of an association.

    Parameters
    ----------
    kind : {"CR-SPLIT", "REPEAT-OBS", "DITHER"}
        A DITHER has one exposure a position.
    detector : {"WFC", "HRC", "SBC"}
    n_exposure : int
        Exposures at each position.
    n_position : int
        Dither positions.
    seed : int
        The exposures differ in everything random but the scene.
    step : (x, y)
        Shift of the scene from position to position, pixels.
    rootname : str
        Six characters that all names begin with.
    exptime : float or sequence of float
        s; a sequence has one entry an exposure of a position.
    mjd : float, optional
        Start of the first exposure.
    keywords, references, **options
        As for `simulate`, the same for all exposures.

    Returns
    -------
    Association
    """
    codes = {"CR-SPLIT": "CR", "REPEAT-OBS": "RP", "DITHER": "DTH"}
    if kind not in codes:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(codes)}")
    if kind == "DITHER":
        n_exposure = 1
    times = [float(exptime)] * n_exposure if isinstance(exptime, (int, float)) else [float(t) for t in exptime]
    if len(times) != n_exposure or n_exposure < 1 or n_position < 1:
        raise ValueError(f"{n_exposure} exposures at {n_position} positions with {len(times)} exposure times")
    stem = rootname or f"j{detector[0].lower()}{seed % 1000:03d}a"
    refs = ReferenceSet(detector) if references is None else references
    start = {"WFC": 57785.4, "HRC": 53000.0, "SBC": 55000.0}[detector] if mjd is None else float(mjd)
    asn = f"{stem}010"
    members: list[Simulation] = []
    rows: list[tuple[str, str, bool]] = []
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    number = 0
    for position in range(n_position):
        if kind == "DITHER":
            role = "EXP-DTH"
        elif n_position == 1:
            role = "EXP-CRJ" if kind == "CR-SPLIT" else "EXP-RPT"
        else:
            role = f"EXP-{codes[kind]}{position + 1}"
        for time in times:
            name = f"{stem}{letters[number // 36]}{letters[number % 36]}q"
            cards: dict[str, object] = {
                "ASN_ID": asn.upper(),
                "ASN_TAB": f"{asn}_asn.fits",
                "ASN_MTYP": role,
                "CRSPLIT": n_exposure if kind == "CR-SPLIT" else 1,
                "NRPTEXP": n_exposure if kind == "REPEAT-OBS" else 1,
                "CRCORR": "PERFORM" if kind == "CR-SPLIT" and n_exposure > 1 else "OMIT",
                "RPTCORR": "PERFORM" if kind == "REPEAT-OBS" and n_exposure > 1 else "OMIT",
                "PATTSTEP": position + 1 if n_position > 1 else 0,
            }
            if detector == "SBC":
                for key in ("CRSPLIT", "CRCORR"):
                    cards.pop(key)
            members.append(
                simulate(
                    detector, seed=_member_seed(seed, number), scene_seed=seed, exptime=time, mjd=start, rootname=name,
                    offset=(position * step[0], position * step[1]), references=refs,
                    keywords=cards | dict(keywords or {}), **options,
                )
            )  # fmt: skip
            rows.append((name, role, True))
            start += (time + 180.0) / 86400.0
            number += 1
        if kind != "DITHER":
            rows.append((f"{stem}01{letters[position + 1]}", role.replace("EXP", "PROD"), False))
    if kind == "DITHER" or n_position > 1:
        rows.append((asn, "PROD-DTH", False))
    return Association(asn, tuple(members), tuple(rows))


def _member_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(2, number)).generate_state(1)[0])
