"""Cosmic-ray rejection of a set of exposures: what is checked, combined and written into the product.

The doors are in `calacs.acsrej`; the arithmetic is in `calacs.steps.crrej`.

Notes
-----
Checks, choice of parameters and cards: HSTCAL ``pkg/acs/lib/acsrej``.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits, reftables
from calacs._version import CAL_VER
from calacs.combining import Source, chip_of, find_chip, fit_in_memory, open_sources
from calacs.detector import Geometry, align
from calacs.dq import DQ
from calacs.errors import InvalidValue, NothingToDo, SizeMismatch
from calacs.exposure import PLANES, Exposure, ImSet
from calacs.log import caution, log, stamp
from calacs.names import association_root, filename_keyword, upper_root
from calacs.observation import AMPS
from calacs.parallel import Report, resolve_threads, run_reporting
from calacs.refs import Problems, References
from calacs.step import State, StepRecord, describe, read_switch
from calacs.steps import crrej

__all__ = [
    "Given",
    "Plan",
    "execute",
    "flag_files",
    "flag_inputs",
    "flagged",
    "predict",
    "prepare",
    "write_product_names",
]


@dataclass(frozen=True, slots=True)
class Given:
    """Parameters given with the call; those that are None come from CRREJTAB.

    Attributes
    ----------
    crrejtab, shadfile : path-like, HDUList or None
        Reference files instead of those of the first exposure's header.
    shadcorr : bool
        Correct the shutter shading, whatever the header says.
    crmask : bool or None
        Whether cosmic rays are to be flagged in the exposures too.
    scalense, crradius, crthresh : float or None
        Noise proportional to the signal (percent), radius of a cosmic ray (pixel), factor on the limit for neighbors.
    initgues, skysub : str or None
        First guess ("median" or "minimum"), sky ("mode" or "none").
    crsigmas : str, sequence of float or None
        Rejection limit of each iteration, in sigma.
    badinpdq : int or None
        Bits of bad pixels.
    """

    crrejtab: Any = None
    shadfile: Any = None
    shadcorr: bool = False
    crmask: bool | None = None
    scalense: float | None = None
    initgues: str | None = None
    skysub: str | None = None
    crsigmas: str | Sequence[float] | None = None
    crradius: float | None = None
    crthresh: float | None = None
    badinpdq: int | None = None

    @classmethod
    def of(cls, columns: dict[str, Any], **others: Any) -> Given:
        """Take parameters from names of table columns, as `calacs.overrides.Overrides` holds them."""
        known = {one.name for one in fields(cls)}
        return cls(**{name.lower(): value for name, value in columns.items() if name.lower() in known}, **others)


@dataclass(slots=True)
class Plan:
    """A combination that was checked and can be executed.

    Attributes
    ----------
    sources : list of Source
        The exposures, in order.
    n_imset : int
        Image sets to combine.
    chosen : list of list of int
        EXTVER of each exposure, for each image set.
    times : ndarray of float32
        Exposure times (s), as in the headers.
    parameters : Parameters
        What is used.
    texts : dict of str to value
        Cards that record the parameters, in order.
    crmask : bool
        Whether cosmic rays are to be flagged in the exposures.
    calibration : bool
        Whether bias or dark frames are combined.
    refs : References
        CRREJTAB and SHADFILE.
    shading : list of Shading or None
        Shutter shading of each image set, where it is corrected.
    notes : list of str
        Warnings.
    hits : list of dict
        For each exposure, rejected pixels by EXTVER (bits); filled by `execute`.
    """

    sources: list[Source]
    n_imset: int
    chosen: list[list[int]]
    times: NDArray[np.float32]
    parameters: crrej.Parameters
    texts: dict[str, Any]
    crmask: bool
    calibration: bool
    refs: References
    shading: list[crrej.Shading] | None = None
    notes: list[str] = field(default_factory=list)
    hits: list[dict[int, NDArray[np.uint8]]] = field(default_factory=list)

    @property
    def rejects(self) -> bool:
        """Whether there are two or more exposures with exposure time, so that cosmic rays can be told."""
        return int(np.count_nonzero(crrej.effective_times(self.times))) > 1

    @property
    def first_used(self) -> int:
        """The first exposure with exposure time: headers come from it."""
        return int(np.argmax(crrej.effective_times(self.times) > 0))


def prepare(exposures: Any, given: Given, *, refs: References | None = None, problems: Problems | None = None) -> Plan:
    """Check everything that a combination needs; no pixel is read.

    Parameters
    ----------
    exposures : sequence of Exposure, path-like or HDUList
        Two or more exposures; for `Exposure`, the headers and shapes count.
    given : Given
        Parameters of the caller.
    refs : References
        Reference files, where another task has opened some already.
    problems : Problems
        Collects what is wrong instead of raising it.

    Raises
    ------
    CalacsError
        The one problem that was found, or `PreflightFailed` with all of them.
    """
    sources = open_sources(exposures)
    if len(sources) < 2:
        raise NothingToDo(f"{len(sources)} exposure given: acsrej needs two or more")
    first = sources[0]
    collected = problems or Problems()
    n_before = len(collected.found)
    if refs is None:
        replaced = {"CRREJTAB": given.crrejtab, "SHADFILE": given.shadfile}
        refs = References(first.primary, {key: value for key, value in replaced.items() if value is not None})
    n_imset = first.n_imset
    plan = Plan(
        sources, n_imset, [], np.zeros(len(sources), np.float32), crrej.Parameters((1.0,)), {}, False, False, refs
    )
    with collected:
        _check_first(first, n_imset)
        plan.calibration = first.primary.get_str("IMAGETYP").upper().startswith(("BIAS", "DARK"))
    for i, source in enumerate(sources):
        with collected:
            plan.times[i] = _time_of(source, required=source is first)
    for extver in range(1, n_imset + 1):
        plan.chosen.append(_choose_imsets(plan, extver, collected))
    _check_settings(plan, collected)
    with collected:
        _choose_parameters(plan, given)
    if len(collected.found) == n_before:
        with collected:
            if given.shadcorr or read_switch(first.primary, "SHADCORR") is State.PERFORM:
                plan.shading = [_shading(plan, extver) for extver in range(1, n_imset + 1)]
    if problems is None:
        collected.raise_all(first.name)
    n_used = int(np.count_nonzero(crrej.effective_times(plan.times)))
    if n_used == 1:
        _warn(plan, "one exposure alone has an exposure time: cosmic rays are not rejected")
    elif n_used < len(sources):
        _warn(plan, f"{len(sources) - n_used} of {len(sources)} exposures have an exposure time of 0 s")
    return plan


def _warn(plan: Plan, text: str) -> None:
    plan.notes.append(text)
    caution(plan.sources[0].name, text)


def _check_first(first: Source, n_imset: int) -> None:
    header = first.primary
    header.get_int("NEXTEND")
    if n_imset < 1:
        raise InvalidValue(f"{first.name}: there is no image set; NEXTEND must be at least 3 and [SCI,1] must exist")
    for keyword in ("IMAGETYP", "DETECTOR", "ROOTNAME"):
        header.get_str(keyword)
    header.get_bool("SUBARRAY")
    if header.get_str("DETECTOR") not in ("WFC", "HRC"):
        text = f"DETECTOR = {header['DETECTOR']!r}: cosmic rays are rejected in CCD exposures only"
        raise InvalidValue(f"{first.name}: {text}; sum SBC exposures with acssum")
    if all(header.get_float(f"ATODGN{amp}", 0.0) <= 0.0 for amp in AMPS):
        raise InvalidValue(f"{first.name}: all of ATODGNA to ATODGND are 0; calibrate the exposure with acsccd first")


def _time_of(source: Source, *, required: bool) -> float:
    header = source.primary
    times = [header.get_float(key, None if required else 0.0) for key in ("EXPTIME", "EXPSTART", "EXPEND")]
    if not times[0] >= 0.0:
        raise InvalidValue(f"{source.name}: EXPTIME = {times[0]:g} is invalid; it must be 0 or more")
    return times[0]


def _choose_imsets(plan: Plan, extver: int, problems: Problems) -> list[int]:
    """EXTVER of each exposure's image of the chip that the first exposure has in `extver`."""
    first = plan.sources[0]
    chip, shape = chip_of(first, extver), first.shape(extver)
    chosen = [extver]
    for source in plan.sources[1:]:
        with problems:
            found = find_chip(source, chip)
            chosen.append(found)
            if source.shape(found) != shape:
                (n_row, n_col), (rows, columns) = source.shape(found), shape
                raise SizeMismatch(
                    f"{source.name}: [SCI,{found}] has {n_col} columns x {n_row} rows, {first.name} has {columns} x {rows}; "
                    "combine exposures of one format"
                )
    with problems:
        for source, found in zip(plan.sources, chosen, strict=False):
            source.rows(found)
        template = plan.sources[plan.first_used]
        for plane in PLANES:
            template.header(plane, extver)
    return chosen


def _check_settings(plan: Plan, problems: Problems) -> None:
    """Exposures must agree in amplifiers and post-flash."""
    first = plan.sources[0]
    clock = crrej.effective_times(plan.times)

    def settings(source: Source, exptime: Any) -> dict[str, Any]:
        header = source.primary
        amps = header.get_str("CCDAMP").strip().upper()
        if not amps or set(amps) - set(AMPS):
            raise InvalidValue(f"{source.name}: CCDAMP = {amps!r} is invalid; it must be made of the letters {AMPS}")
        flashed = read_switch(header, "FLSHCORR") is State.PERFORM
        values: dict[str, Any] = {"CCDAMP": amps, "FLSHCORR": "PERFORM" if flashed else "not PERFORM"}
        if flashed:
            with np.errstate(divide="ignore", invalid="ignore"):
                values["FLASHCUR"] = header.get_str("FLASHCUR").strip().upper()
                values["FLASHDUR/EXPTIME"] = float(np.float32(header.get_float("FLASHDUR", 0.0)) / exptime)
        return values

    wanted: dict[str, Any] | None = None
    for source, exptime in zip(plan.sources, clock, strict=True):
        with problems:
            found = settings(source, exptime)
            wanted = wanted or found
            for keyword, value in wanted.items():
                if found.get(keyword, value) != value:
                    raise InvalidValue(
                        f"{source.name}: {keyword} is {found[keyword]}, that of {first.name} is {value}; combine exposures "
                        "of one kind"
                    )


def _choose_parameters(plan: Plan, given: Given) -> None:
    """Take each parameter from the call or from CRREJTAB."""
    n = len(plan.sources)
    mean = np.float32(crrej.float32_sum(plan.times) / np.float32(n))
    values = {name: getattr(given, name.lower()) for name in reftables.CRREJTAB_COLUMNS}
    for name in ("SCALENSE", "CRTHRESH"):
        if values[name] is not None and math.isnan(float(values[name])):
            raise InvalidValue(f"{name.lower()} = nan is invalid; give a number")
    missing = [name for name, value in values.items() if value is None]
    if missing:
        reference = plan.refs.require("CRREJTAB")
        row = reftables.crrej_row(reference.table, n, float(mean))
        reference.note(f"row {row + 1}")
        values |= {name: reftables.crrej_value(reference.table, name, row) for name in missing}
    if not values["INITGUES"].startswith(("med", "min")):
        _warn(plan, f"INITGUES = {values['INITGUES']!r} is invalid; 'minimum' is used")
        values["INITGUES"] = "minimum"
    sigmas = values["CRSIGMAS"]
    if not isinstance(sigmas, str):
        sigmas, values["CRSIGMAS"] = tuple(float(s) for s in sigmas), ",".join(f"{float(s):g}" for s in sigmas)
    else:
        sigmas = crrej.parse_sigmas(sigmas)
    values["BADINPDQ"] = (int(values["BADINPDQ"]) + 32768) % 65536 - 32768
    plan.parameters = crrej.Parameters(
        sigmas,
        float(values["CRRADIUS"]),
        float(values["CRTHRESH"]),
        float(values["SCALENSE"]),
        values["INITGUES"],
        values["SKYSUB"],
        values["BADINPDQ"],
    )
    plan.crmask = bool(values["CRMASK"])
    plan.texts = {
        "INITGUES": values["INITGUES"],
        "SKYSUB": values["SKYSUB"],
        "CRSIGMAS": values["CRSIGMAS"],
        "MEANEXP": mean,
        **{name: np.float32(values[name]) for name in ("CRRADIUS", "CRTHRESH", "SCALENSE")},
        "BADINPDQ": values["BADINPDQ"],
        # PARITY: any number but 0 flags cosmic rays, but only 1 is shown as true.
        "CRMASK": values["CRMASK"] == 1,
    }


def _shading(plan: Plan, extver: int) -> crrej.Shading:
    """Shutter shading under an image set."""
    # PARITY: the image set of the same number is taken, whatever its chip, and a dummy file is used like any other.
    reference = plan.refs.require("SHADFILE")
    plane = reference.image.plane("SCI", extver)
    reference.note(f"[SCI,{extver}]")
    header, shape = plan.sources[0].header("SCI", extver), plan.sources[0].shape(extver)
    place = align(Geometry.of(header, shape), Geometry.of(plane.header, plane.shape), name=str(reference))
    width = math.ceil(plan.parameters.crradius)
    return crrej.make_shading(plane.read(), (place.x, place.y), place.ratio, shape, width)


def execute(
    plan: Plan,
    output: str | os.PathLike[str] = "",
    *,
    mtype: str = "",
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Exposure:
    """Combine the exposures of a plan.

    Parameters
    ----------
    plan : Plan
        What `prepare` returned.
    output, mtype, n_threads, progress
        As of `combine`.
    """
    started = time.perf_counter()
    plan.hits = [{} for _ in plan.sources]

    def tell(text: str | None) -> None:
        if text is not None and progress is not None:
            progress(text)

    def one(index: int, threads: int, report: Report) -> crrej.Combination:
        report(f"acsrej: image set {index + 1} of {plan.n_imset}")
        return _combine_imset(plan, index, threads, report)

    tasks = [partial(one, index) for index in range(plan.n_imset)]
    results = run_reporting(tasks, resolve_threads(n_threads), plan.n_imset, tell)
    stamp("Finished detecting cosmic rays")
    template = plan.sources[plan.first_used]
    imsets = []
    for extver, result in enumerate(results, 1):
        headers = {plane: template.header(plane, extver).copy() for plane in PLANES}
        # PARITY: keeps the plane from being stored as a constant.
        result.err[0, 0] = -1.0
        imsets.append(ImSet(extver, result.sci, result.err, result.dq, headers))
        for hits, chosen, bits in zip(plan.hits, plan.chosen[extver - 1], result.hits, strict=False):
            hits[chosen] = bits
    product = Exposure(template.primary.copy(), tuple(imsets), Path(output) if output else template.path)
    rate = np.float32(np.float32(sum(results[0].n_rejected)) / _total_time(plan))
    _write_cards(product, plan, str(output), mtype, crrej.total_sky(results[0].sky), rate)
    for imset in product.imsets:
        fits.settle_planes(imset)
    product.records.append(_record(plan, results, float(rate), time.perf_counter() - started))
    return product


def predict(plan: Plan, output: str | os.PathLike[str] = "", *, mtype: str = "") -> Exposure:
    """Foresee the product without its pixels, so that the tasks after it can be checked beforehand."""
    template = plan.sources[plan.first_used]
    imsets = []
    for extver in range(1, plan.n_imset + 1):
        zero = np.broadcast_to(np.float32(0.0), plan.sources[0].shape(extver))
        headers = {plane: template.header(plane, extver).copy() for plane in PLANES}
        imsets.append(ImSet(extver, zero, zero, np.broadcast_to(np.int16(0), zero.shape), headers))
    product = Exposure(template.primary.copy(), tuple(imsets), Path(output) if output else template.path)
    _write_cards(product, plan, str(output), mtype, np.float32(0.0), np.float32(0.0))
    return product


def _total_time(plan: Plan) -> np.float32:
    return crrej.float32_sum(crrej.effective_times(plan.times))


def _combine_imset(plan: Plan, index: int, n_threads: int, report: Report) -> crrej.Combination:
    chosen = plan.chosen[index]
    keep = fit_in_memory(plan.sources, chosen)
    rows = [source.rows(extver, keep=keep) for source, extver in zip(plan.sources, chosen, strict=True)]
    if plan.rejects:
        return crrej.combine_images(
            rows,
            plan.times,
            plan.parameters,
            calibration=plan.calibration,
            shading=None if plan.shading is None else plan.shading[index],
            keep_hits=plan.crmask,
            n_threads=n_threads,
            report=report,
        )
    sky = crrej.measure_sky(rows, plan.parameters, n_threads=n_threads)
    single = plan.sources[plan.first_used].rows(index + 1)
    sci, err, dq = (np.array(single.read(plane, 0, single.shape[0])) for plane in PLANES)
    # PARITY: the image is scaled by the exposure time although it was never divided by it.
    sci = sci * _total_time(plan) + crrej.total_sky(sky)
    return crrej.Combination(sci, err, dq, sky, (0,) * len(rows))


def _write_cards(product: Exposure, plan: Plan, output: str, mtype: str, sky: np.float32, rate: np.float32) -> None:
    primary, first = product.primary, plan.sources[0].primary
    headers = [source.primary for source in plan.sources]
    flashed = [header for header in headers if read_switch(header, "FLSHCORR") is State.PERFORM]
    total = crrej.float32_sum(plan.times)
    primary.set("TEXPTIME", total)
    primary.set("EXPTIME", total)
    started = "computed exposure start time (Modified Julian Date)"
    primary.set("EXPSTART", min([1e10, *(header.get_float("EXPSTART", 0.0) for header in headers)]), started)
    ended = "computed exposure end time (Modified Julian Date)"
    primary.set("EXPEND", max([0.0, *(header.get_float("EXPEND", 0.0) for header in headers)]), ended)
    primary.set("SKYSUM", sky, "Total sky level (electrons)")
    primary.set("REJ_RATE", rate, "Cosmic ray impact rate (pixels/sec)")
    # PARITY: a post-flash that was subtracted already counts as none.
    primary.set("FLASHDUR", crrej.float32_sum([header.get_float("FLASHDUR", 0.0) for header in flashed]))
    primary.set_comment("FLASHDUR", "Cumulative exposure time in seconds")
    primary.set("DARKTIME", crrej.float32_sum([header.get_float("DARKTIME", 0.0) for header in headers]))
    primary.set_comment("DARKTIME", "Cumulative dark time in seconds")
    if plan.shading is not None:
        primary.set("SHADCORR", "COMPLETE")
        for text in ("SHADCORR complete ...", *plan.refs["SHADFILE"].history()):
            primary.add_history(text)
    for keyword, value in plan.texts.items():
        primary.set(keyword, value)
    announced = first.get_int("NEXTEND", 3 * plan.n_imset)
    primary.set("NEXTEND", announced if announced // 3 == plan.n_imset else 3 * plan.n_imset)
    primary.set("CRCORR", "COMPLETE")
    primary.set("CAL_VER", CAL_VER, "version number and date")
    for imset in product.imsets:
        imset.header["SCI"].set("NCOMBINE", len(plan.sources))
    write_product_names(product, output or product.name, mtype)


def write_product_names(product: Exposure, output: str, mtype: str) -> None:
    """Write FILENAME, ASN_MTYP, EXPNAME and ROOTNAME of a combined product."""
    primary, root = product.primary, association_root(output)
    primary.set("FILENAME", filename_keyword(output), "name of file")
    if mtype:
        primary.set("ASN_MTYP", mtype.upper(), "Role of the Exposure in the Association")
    for imset in product.imsets:
        for plane in PLANES:
            imset.header[plane].set("EXPNAME", root, "9 character exposure identifier")
    primary.set("ROOTNAME", upper_root(root), "Rootname of the observation set")


def _record(plan: Plan, results: Sequence[crrej.Combination], rate: float, seconds: float) -> StepRecord:
    references = {key: describe(reference) for key in ("CRREJTAB", "SHADFILE") if (reference := _used(plan, key))}
    values = {
        "exposures": [source.name for source in plan.sources],
        "exptime": [float(one) for one in plan.times],
        "sky": [[float(sky) for sky in result.sky] for result in results],
        "n_rejected": [list(result.n_rejected) for result in results],
        "rej_rate": rate,
        **{key.lower(): float(v) if isinstance(v, np.float32) else v for key, v in plan.texts.items()},
    }
    for keyword, value in plan.texts.items():
        log.debug("%-8s %s", keyword, value)
    for index, result in enumerate(results):
        for source, extver, sky in zip(plan.sources, plan.chosen[index], result.sky, strict=True):
            log.debug("sky of '%s[sci,%d]' is %0.3f electrons", source.name, extver, sky)
    return StepRecord("acsrej", "CRCORR", "complete", seconds, references, values, tuple(plan.notes))


def _used(plan: Plan, keyword: str) -> Any:
    reference = next((one for one in plan.refs if one.spec.keyword == keyword), None)
    return reference if reference is not None and reference.chosen else None


def flagged(dq: NDArray[np.int16], hits: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Flags of an exposure with those of cosmic rays renewed.

    Parameters
    ----------
    dq : ndarray of int16, shape (n_row, n_col)
        Flags; not changed.
    hits : ndarray of uint8, shape (n_row, (n_col + 7) // 8)
        Rejected pixels, as bits.
    """
    # PARITY: flags of earlier runs are cleared, and up to 7 columns at the right stay as they are.
    n_byte = dq.shape[1] // 8
    is_hit = np.unpackbits(hits[:, :n_byte], axis=1).view(bool)
    result = dq.copy()
    part = result[:, : 8 * n_byte]
    part &= ~np.int16(DQ.COSMIC_RAY)
    part |= np.where(is_hit, np.int16(DQ.COSMIC_RAY), np.int16(0))
    return result


def flag_inputs(plan: Plan) -> None:
    """Flag the cosmic rays that `execute` found in the exposures in memory."""
    if not plan.rejects:
        return
    for source, hits in zip(plan.sources, plan.hits, strict=True):
        assert source.exposure is not None
        for extver, bits in hits.items():
            imset = source.exposure.imsets[extver - 1]
            imset.dq[...] = flagged(imset.dq, bits)


def flag_files(plan: Plan) -> None:
    """Flag the cosmic rays that `execute` found in the files of the exposures."""
    if not plan.rejects:
        return
    for source, hits in zip(plan.sources, plan.hits, strict=True):
        path = source.path
        assert path is not None
        source.image = None  # Windows does not replace files that are open
        fits.update_dq(path, _flagged_planes(path, hits))


def _flagged_planes(path: Path, hits: Mapping[int, NDArray[np.uint8]]) -> dict[int, NDArray[np.int16]]:
    image = fits.open_image(path)
    return {extver: flagged(image.plane("DQ", extver).read(), bits) for extver, bits in hits.items()}
