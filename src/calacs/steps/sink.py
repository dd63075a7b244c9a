"""SINKCORR: flag sink pixels and the pixels they spoil.

Units   electron (flags only).
Refs    SNKCFILE.
Kernel  csrc/sink.c.
Origin  HSTCAL acsccd/dosink.c.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from calacs._core import sink as core
from calacs.dq import DQ
from calacs.errors import InvalidValue
from calacs.exposure import ImSet
from calacs.parallel import run_parallel
from calacs.refs import Section
from calacs.step import Job, Result, step


def flag_sinks(imset: ImSet, section: Section) -> int:
    """Flag what the sink pixels of a chip spoil, in place; return the number of pixels.

    Parameters
    ----------
    imset : ImSet
        Untrimmed image in electron.
    section : Section
        Part of the sink-pixel image under it.
    """
    # PARITY: the first extension counts as chip 2, which is read downwards, whatever its CCDCHIP.
    upward = section.extver == 1
    trailing, signal = np.zeros(imset.shape[1], np.uint8), np.zeros(imset.shape[1], np.float32)
    n_flagged = 0
    for rows, (codes,) in section.blocks("SCI", upward=upward):
        n_flagged += core.flag(imset.sci[rows], imset.dq[rows], codes, upward, DQ.SINK, trailing, signal)
    return n_flagged


@step("SINKCORR", refs=("SNKCFILE",))
def sink(job: Job, sections: list[Section]) -> Result:
    """Flag sink pixels, their downstream neighbors, and their trails where the signal does not fill the sink."""
    calls = [partial(flag_sinks, *pair) for pair in zip(job.exposure.imsets, sections, strict=True)]
    return Result({"n_flagged": run_parallel(calls, job.n_threads)})


@sink.preflight
def find_sections(job: Job) -> list[Section]:
    """Find each image set in the sink-pixel image."""
    reference = job.refs["SNKCFILE"]
    sections = [reference.section(imset, every_extension=True) for imset in job.exposure.imsets]
    if any(section.alignment.ratio != (1, 1) for section in sections):
        raise InvalidValue(f"{reference}: SINKCORR cannot be done on binned data; set it to OMIT")
    return sections
