"""BIASCORR: subtract the bias image.

Units   DN -> DN.
Refs    BIASFILE.
Kernel  csrc/imarith.c: cal_imarith_subtract.
Origin  HSTCAL acsccd/dobias.c.
"""

from __future__ import annotations

from calacs._core import imarith
from calacs.refs import Section
from calacs.step import Job, Result, step


@step("BIASCORR", refs=("BIASFILE",))
def bias(job: Job, sections: list[Section]) -> Result:
    """Subtract the bias image from the whole frame, overscan included."""
    for imset, section in zip(job.exposure.imsets, sections, strict=True):
        imarith.subtract(imset.sci, imset.err, imset.dq, *section.read_all())
    return Result()


@bias.preflight
def find_sections(job: Job) -> list[Section]:
    """Find each image set in the bias image."""
    return [job.refs["BIASFILE"].section(imset) for imset in job.exposure.imsets]
