"""SINKCORR: flag sink pixels and the pixels they spoil.

Units   electron (flags only).
Refs    SNKCFILE.
Kernel  csrc/sink.c.
Origin  HSTCAL acsccd/dosink.c.
"""

from __future__ import annotations

from calacs._core import sink as core
from calacs.dq import DQ
from calacs.errors import InvalidValue
from calacs.refs import Section
from calacs.step import Job, Result, step


@step("SINKCORR", refs=("SNKCFILE",))
def sink(job: Job, sections: list[Section]) -> Result:
    """Flag sink pixels, their downstream neighbors, and their trails where the signal does not fill the sink."""
    n_flagged = [
        # PARITY: the first extension counts as chip 2, which is read downwards, whatever its CCDCHIP.
        core.flag(imset.sci, imset.dq, section.read("SCI"), section.extver == 1, DQ.SINK)
        for imset, section in zip(job.exposure.imsets, sections, strict=True)
    ]
    return Result({"n_flagged": n_flagged})


@sink.preflight
def find_sections(job: Job) -> list[Section]:
    """Find each image set in the sink-pixel image."""
    reference = job.refs["SNKCFILE"]
    sections = [reference.section(imset, every_extension=True) for imset in job.exposure.imsets]
    if any(section.alignment.ratio != (1, 1) for section in sections):
        raise InvalidValue(f"{reference}: SINKCORR cannot be done on binned data; set it to OMIT")
    return sections
