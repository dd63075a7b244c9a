"""BIASCORR: subtract the bias image.

Units   DN -> DN.
Refs    BIASFILE.
Kernel  csrc/imarith.c: cal_imarith_subtract.
Origin  HSTCAL acsccd/dobias.c.
"""

from __future__ import annotations

from functools import partial

from calacs._core import imarith
from calacs.exposure import PLANES, ImSet
from calacs.parallel import run_parallel
from calacs.refs import Section
from calacs.step import Job, Result, step


def _subtract(imset: ImSet, section: Section) -> None:
    for rows, (sci, err, dq) in section.blocks(*PLANES):
        imarith.subtract(imset.sci[rows], imset.err[rows], imset.dq[rows], sci, err, dq)


@step("BIASCORR", refs=("BIASFILE",))
def bias(job: Job, sections: list[Section]) -> Result:
    """Subtract the bias image from the whole frame, overscan included."""
    run_parallel([partial(_subtract, *pair) for pair in zip(job.exposure.imsets, sections, strict=True)], job.n_threads)
    return Result()


@bias.preflight
def find_sections(job: Job) -> list[Section]:
    """Find each image set in the bias image."""
    return [job.refs["BIASFILE"].section(imset) for imset in job.exposure.imsets]
