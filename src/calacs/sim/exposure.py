"""Simulation of one exposure: the settings of the instrument, its chips, and the header that says so."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from . import chip, geometry
from .constants import CONSTANTS, SM4
from .effects import DEFAULT_EFFECTS, Streams, choose
from .geometry import Readout
from .references import ReferenceSet
from .scene import Scene
from .simulation import Simulation, Truth

__all__ = ["simulate"]


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
    on = choose(detector, effects)
    start = {"WFC": 57785.4, "HRC": 53000.0, "SBC": 55000.0}[detector] if mjd is None else float(mjd)
    frames = geometry.readouts(detector, aperture, amps=amps, mjd=start, subarray=subarray)
    refs = ReferenceSet(detector) if references is None else references
    if refs.detector != detector:
        raise ValueError(f"the references are those of {refs.detector}, the exposure is {detector}")
    random = Streams(seed)
    sky = Scene() if scene is None else scene
    place = Streams(seed if scene_seed is None else scene_seed)
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
        mean = chip.collect(expected, frame, refs, on, exptime=exptime, dark_time=dark_time, flash=duration, mjd=start)
        if detector == "SBC":
            return chip.count(mean, expected, on, random, exptime)
        data, real = chip.read(
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


def _date(mjd: float) -> tuple[str, str]:
    moment = datetime.datetime(1858, 11, 17) + datetime.timedelta(days=mjd)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")
