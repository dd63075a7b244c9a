"""The task acssum: repeated exposures summed, pixel by pixel::

    from calacs import acssum
    acssum.acssum("x1_flt.fits,x2_flt.fits", "x_sfl.fits")     # files, as ACSTOOLS does it
    product = acssum.combine(exposures, n_threads=2)           # in memory

The array functions are in `calacs.steps.rptsum`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from calacs import fits, spt
from calacs._version import CAL_VER
from calacs.combining import Source, chip_of, find_chip, join_trailers, open_sources
from calacs.door import FileDoor, expand_exposures
from calacs.dq import serious_bits
from calacs.errors import InvalidValue, NothingToDo, SizeMismatch
from calacs.exposure import PLANES, Exposure, ImSet
from calacs.log import banner, caution, stamp
from calacs.names import with_suffix
from calacs.observation import DETECTORS
from calacs.parallel import resolve_threads, run_parallel, split_rows
from calacs.refs import Problems
from calacs.rejection import write_product_names
from calacs.staging import Staging, Writer
from calacs.step import StepRecord
from calacs.steps.rptsum import add_image, finish_sum, start_sum
from calacs.steps.stat import statistics_of, why_none, write_cards

__all__ = ["Plan", "acssum", "combine", "execute", "predict", "prepare"]

_BLOCK_ROWS = 64


@dataclass(slots=True)
class Plan:
    """A sum that was checked and can be executed.

    Attributes
    ----------
    sources : list of Source
        The exposures, in order.
    chosen : list of list of int
        EXTVER of each exposure, for each image set.
    notes : list of str
        Warnings.
    """

    sources: list[Source]
    chosen: list[list[int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def acssum(
    input: Any,
    output: str | os.PathLike[str],
    exec_path: str = "",
    time_stamps: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    exe_args: list[str] | None = None,
) -> Path:
    r"""Sum repeated exposures in files.

    Parameters
    ----------
    input : str, path-like or list
        Two or more calibrated exposures: a list, a comma-separated text, a name with wildcards (``'*_flt.fits'``),
        ``@file`` with one name per line, or an association table.
    output : path-like
        The product; may be empty for an association table, whose name then ends in ``_sfl`` instead of ``_asn``.
    exec_path : str
        Accepted for compatibility with ACSTOOLS and ignored: no executable is run.
    time_stamps, verbose, quiet : bool
        Time of each message, more messages, no messages on standard output.
    exe_args : list of str
        Command-line options of the official program that mean something here.

    Returns
    -------
    Path
        The product.

    Raises
    ------
    ValueError
        There is no output name.
    CalacsError
        The exposures cannot be summed; nothing was written.
    """
    door = FileDoor("acssum", exec_path, time_stamps, verbose, quiet, exe_args)
    return combine_files(expand_exposures(input, "acssum"), _output(input, output), door)


def _output(source: Any, output: str | os.PathLike[str]) -> Path:
    if os.fspath(output):
        return Path(output)
    is_name = isinstance(source, (str, os.PathLike))
    if not is_name or not Path(source).stem.endswith(("_asn", "_asc")):
        raise ValueError("output: name the product; only that of a single association table can be derived")
    return with_suffix(source, Path(source).stem[-4:], "_sfl")


def combine_files(inputs: Sequence[Path], output: Path, door: FileDoor, mtype: str = "") -> Path:
    """Sum files into a file, and merge their support files."""
    trailer = join_trailers(inputs, output, (("_crj", "_flt"), ("_sfl",)))
    files = [("Input", path) for path in inputs]
    with door.trailer(trailer), banner("acssum", *files, ("Output", output)):
        if any(path.exists() and output.exists() and path.samefile(output) for path in inputs):
            raise InvalidValue(f"{output}: the output is one of the inputs; choose another name")
        fits.refuse_existing(output, clobber=door.clobber)
        fits.check_folder(output)
        plan = prepare(inputs)
        support = spt.foresee(inputs, output)
        product = execute(plan, output, mtype=mtype, n_threads=door.n_threads)
        with Writer(1) as writer, Staging(output.parent, writer, clobber=door.clobber) as staging:
            staging.write(product, output)
            if support is not None:
                spt.merge(inputs, output, mtype, create=staging.create)
    return output


def combine(
    exposures: Any,
    *,
    output: str | os.PathLike[str] = "",
    mtype: str = "",
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Exposure:
    """Sum repeated exposures in memory.

    Parameters
    ----------
    exposures : sequence of Exposure, path-like or HDUList
        Two or more calibrated exposures of one field; they are not changed.
    output : path-like
        Name of the product, from which its root name follows; by default that of the first exposure.
    mtype : str
        Its role in an association (``prod-rpt``).
    n_threads : int
        Threads to use, 0 for all processors; the result does not depend on it.
    progress : callable
        Called with a text before each step.

    Returns
    -------
    Exposure
        The sum, in the unit of the exposures; ``records[-1].values`` tells what was summed, and statistics.

    Raises
    ------
    CalacsError
        The exposures cannot be summed.
    """
    return execute(prepare(exposures), output, mtype=mtype, n_threads=n_threads, progress=progress)


def prepare(exposures: Any, *, problems: Problems | None = None) -> Plan:
    """Check everything that a sum needs; no pixel is read.

    Parameters
    ----------
    exposures : sequence of Exposure, path-like or HDUList
        Two or more exposures; for `Exposure`, the headers and shapes count.
    problems : Problems
        Collects what is wrong instead of raising it.

    Raises
    ------
    CalacsError
        The one problem that was found, or `PreflightFailed` with all of them.
    """
    plan = Plan(open_sources(exposures))
    if len(plan.sources) < 2:
        raise NothingToDo(f"{len(plan.sources)} exposure given: acssum needs two or more")
    first = plan.sources[0]
    collected = problems or Problems()
    with collected:
        first.primary.get_str("APERTURE")
        detector = first.primary.get_str("DETECTOR")
        if detector not in DETECTORS:
            raise InvalidValue(f"{first.name}: DETECTOR = {detector!r} is invalid; it must be WFC, HRC or SBC")
        n_expected = first.primary.get_int("NRPTEXP")
        if n_expected != len(plan.sources):
            _warn(plan, f"{len(plan.sources)} exposures are summed, but NRPTEXP says {n_expected}")
        if first.n_imset < 1:
            raise InvalidValue(
                f"{first.name}: there is no image set; NEXTEND must be at least 3 and [SCI,1] must exist"
            )
    for source in plan.sources:
        with collected:
            source.primary.get_float("EXPTIME")
            source.primary.get_float("EXPEND")
    for extver in range(1, first.n_imset + 1):
        with collected:
            plan.chosen.append([_choose_imset(plan, source, extver) for source in plan.sources])
    if problems is None:
        collected.raise_all(first.name)
    return plan


def _choose_imset(plan: Plan, source: Source, extver: int) -> int:
    """EXTVER of an exposure's image of the chip that the first exposure has in `extver`."""
    first = plan.sources[0]
    found = extver if source is first else find_chip(source, chip_of(first, extver))
    (n_row, n_col), (n_row_first, n_col_first) = source.shape(found), first.shape(extver)
    if n_col != n_col_first or n_row < n_row_first:
        raise SizeMismatch(
            f"{source.name}: [SCI,{found}] has {n_col} columns x {n_row} rows, {first.name} has {n_col_first} x "
            f"{n_row_first}; sum exposures of one format"
        )
    if n_row > n_row_first:
        _warn(plan, f"{source.name}: the rows of [SCI,{found}] above {n_row_first} are ignored")
    source.rows(found)
    return found


def _warn(plan: Plan, text: str) -> None:
    plan.notes.append(text)
    caution(plan.sources[0].name, text)


def execute(
    plan: Plan,
    output: str | os.PathLike[str] = "",
    *,
    mtype: str = "",
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Exposure:
    """Sum the exposures of a plan.

    Parameters
    ----------
    plan : Plan
        What `prepare` returned.
    output, mtype, n_threads, progress
        As of `combine`.
    """
    started = time.perf_counter()
    product = _copy_headers(plan, output)
    # PARITY: SDQFLAGS is looked for in the primary header, where no file has it, so that every flag counts.
    bad_bits = serious_bits(product.primary)
    statistics = []
    for imset, chosen in zip(product.imsets, plan.chosen, strict=True):
        if progress is not None:
            progress(f"acssum: image set {imset.extver} of {len(plan.chosen)}")
        _sum_up(imset, plan, chosen, resolve_threads(n_threads))
        found = statistics_of(imset.sci, imset.err, imset.dq, bad_bits)
        if found.n_good == 0:
            _warn(plan, f"image set {imset.extver}: {why_none(imset, found)}")
        write_cards(imset, found)
        statistics.append(found)
    _write_cards(product, plan, str(output), mtype)
    for imset in product.imsets:
        fits.settle_planes(imset)
    values = {
        "exposures": [source.name for source in plan.sources],
        "exptime": product.primary.get_float("EXPTIME"),
        "n_good": [one.n_good for one in statistics],
        "mean": [one.sci.mean for one in statistics if one.sci is not None],
    }
    seconds = time.perf_counter() - started
    product.records.append(StepRecord("acssum", "RPTCORR", "complete", seconds, {}, values, tuple(plan.notes)))
    return product


def predict(plan: Plan, output: str | os.PathLike[str] = "", *, mtype: str = "") -> Exposure:
    """Foresee the product without its pixels, so that the tasks after it can be checked beforehand."""
    product = _copy_headers(plan, output)
    _write_cards(product, plan, str(output), mtype)
    return product


def _copy_headers(plan: Plan, output: str | os.PathLike[str]) -> Exposure:
    first = plan.sources[0]
    imsets = []
    for extver in range(1, len(plan.chosen) + 1):
        zero = np.broadcast_to(np.float32(0.0), first.shape(extver))
        headers = {plane: first.header(plane, extver).copy() for plane in PLANES}
        imsets.append(ImSet(extver, zero, zero, np.broadcast_to(np.int16(0), zero.shape), headers))
    return Exposure(first.primary.copy(), tuple(imsets), Path(output) if output else first.path)


def _sum_up(imset: ImSet, plan: Plan, chosen: Sequence[int], n_threads: int) -> None:
    """Fill an image set with the sum, block by block: each exposure is read once."""
    shape = imset.shape
    imset.sci, imset.err = (np.empty(shape, np.float32) for _ in range(2))
    imset.dq = np.empty(shape, np.int16)
    rows = [source.rows(extver) for source, extver in zip(plan.sources, chosen, strict=True)]
    blocks = split_rows(shape[0], -(-shape[0] // _BLOCK_ROWS))

    def one(block: slice) -> None:
        target = imset.sci[block], imset.err[block], imset.dq[block]
        for k, image in enumerate(rows):
            planes = tuple(image.read(plane, block.start, block.stop) for plane in PLANES)
            (start_sum if k == 0 else add_image)(*target, *planes)
        finish_sum(target[1])

    run_parallel([lambda block=block: one(block) for block in blocks], n_threads)  # type: ignore[misc]
    stamp(f"image set {imset.extver} summed")


def _write_cards(product: Exposure, plan: Plan, output: str, mtype: str) -> None:
    primary = product.primary
    primary.set("RPTCORR", "COMPLETE", "add individual repeat observations")
    primary.add_history("RPTCORR complete")
    primary.add_history("Statistics computed after rptcorr.")
    primary.set("NEXTEND", 3 * len(plan.chosen), "number of extensions")
    primary.set("NCOMBINE", len(plan.sources), "number of imsets combined")
    times = [source.primary.get_float("EXPTIME") for source in plan.sources]
    primary.set("EXPTIME", float(sum(times[1:], times[0])), "exposure time")
    # PARITY: the end of the last exposure in the list, even where another one ended later.
    primary.set("EXPEND", plan.sources[-1].primary.get_float("EXPEND"), "exposure end time")
    primary.set("CAL_VER", CAL_VER, "version number and date")
    write_product_names(product, output or product.name, mtype)
