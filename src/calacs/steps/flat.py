"""FLATCORR: divide by the flat fields.

Units   electron -> electron.
Refs    PFLTFILE (pixel to pixel), DFLTFILE (delta), CFLTFILE and SPOTTAB (coronagraphic spots).
Kernel  csrc/imarith.c: cal_imarith_divide, cal_imarith_multiply; csrc/spot.c.
Origin  HSTCAL acs2d/doflat.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from calacs._core import imarith
from calacs.dq import DQ
from calacs.errors import ReferenceMissing, Unsupported
from calacs.exposure import PLANES, ImSet
from calacs.parallel import run_parallel
from calacs.refs import Section
from calacs.step import HISTORY_TEXT, Job, Result, State, step
from calacs.steps.electrons import mark_electrons
from calacs.steps.spot import Spots, find_spots

FLATS = ("PFLTFILE", "DFLTFILE", "LFLTFILE")


@dataclass(frozen=True, slots=True)
class Flats:
    """Flat fields under an exposure.

    Attributes
    ----------
    sections : tuple of list of Section
        For each flat field in use, the parts under the image sets.
    spots : Spots or None
        Coronagraphic spots, by which each flat field is multiplied.
    """

    sections: tuple[list[Section], ...]
    spots: Spots | None


def divide_by_flat(imset: ImSet, rows: slice, flat: Sequence[NDArray[Any]]) -> None:
    """Divide some rows of an image by SCI, ERR and DQ of a flat field, in place.

    Where the flat field is 0 the image stays and is flagged.
    """
    sci, err, dq = flat
    imarith.divide(imset.sci[rows], imset.err[rows], imset.dq[rows], sci, err, dq, DQ.CALIBRATION_DEFECT)


def _divide(imset: ImSet, section: Section, spots: Spots | None, part: slice) -> None:
    for rows, flat in section.blocks(*PLANES, part=part, own=spots is not None):
        if spots is not None:
            sci, err, dq = flat
            imarith.multiply(sci, err, dq, *spots.under(section, rows))
        divide_by_flat(imset, rows, flat)


@step("FLATCORR", refs=(*FLATS, "CFLTFILE", "SPOTTAB"), with_dummy=True)
def flat(job: Job, flats: Flats | None) -> Result:
    """Divide by each flat field in turn, with the coronagraphic spots where there are some."""
    if flats is not None:
        for sections in flats.sections:
            calls = [
                partial(_divide, imset, section, flats.spots, part)
                for imset, section in zip(job.exposure.imsets, sections, strict=True)
                for part in section.parts()
            ]
            run_parallel(calls, job.n_threads)
        for imset in job.exposure:
            mark_electrons(imset)
    history = [HISTORY_TEXT[job.states["FLATCORR"]].format("FLATCORR")]
    named = [keyword for keyword in (*FLATS, "CFLTFILE") if job.refs[keyword].given]
    # PARITY: the table of spots is named whenever their image is, even if it is N/A.
    for keyword in named + ["SPOTTAB"] * ("CFLTFILE" in named):
        history += job.refs[keyword].history()
    values = {} if flats is None or flats.spots is None else {"spot_shift": flats.spots.shift}
    return Result(values, history)


@flat.preflight
def find_flats(job: Job) -> Flats | None:
    """Find each image set in each flat field; None where all of these are dummies."""
    given = [job.refs[keyword] for keyword in FLATS if job.refs[keyword].given]
    usable = [reference for reference in given if not reference.dummy]
    if not given:
        raise ReferenceMissing(
            f"PFLTFILE, DFLTFILE and LFLTFILE: the header of {job.exposure.name} names none of them; name one, or set "
            "FLATCORR to OMIT"
        )
    if not usable:
        job.states["FLATCORR"] = State.DUMMY
        return None
    for reference in usable:
        if reference.spec.keyword == "LFLTFILE":
            raise Unsupported(
                f"{reference}: low-order flats cannot be applied (the official program crashes on them); multiply it into "
                "the PFLTFILE and set LFLTFILE to N/A"
            )
    sections = tuple([reference.section(imset) for imset in job.exposure] for reference in usable)
    return Flats(sections, find_spots(job, [section for one in sections for section in one]))
