"""The flow of exposures through the tasks: single exposures and associations.

An exposure is planned first, from its headers and reference files alone: every task is prepared on an exposure without
pixels, as the task before it will leave it.  Only if all exposures of a run are found good are pixels read and changed.

Notes
-----
Order of tasks, choice of dark file, and names: HSTCAL ``pkg/acs/lib/calacs/calacs.c``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calacs import acs2d, acsccd, acscte, fits
from calacs.errors import NothingToDo
from calacs.exposure import Exposure
from calacs.log import banner
from calacs.names import filename_keyword, with_suffix
from calacs.observation import Observation
from calacs.overrides import Overrides
from calacs.refs import Problems, References
from calacs.registry import REGISTRY, RefSpec
from calacs.step import Job, State, read_switch

Progress = Callable[[str], None]

CCD_SWITCHES = ("DQICORR", "ATODCORR", "BIASCORR", "BLEVCORR")
IMAGE_SWITCHES = ("DARKCORR", "FLSHCORR", "FLATCORR", "SHADCORR", "PHOTCORR", "GLINCORR", "LFLGCORR")
COMBINING_SWITCHES = frozenset({"CRCORR", "RPTCORR"})
"""Switches that single exposures have, but that only associations follow."""
OWN_REFERENCES = frozenset({"SATUFILE", "SNKCFILE", "CFLTFILE", "SPOTTAB"})
"""Reference files that each exposure of an association names itself; the others are those of the first exposure."""


def performed(exposure: Exposure, *switches: str) -> bool:
    """Whether any of some switches of an exposure is PERFORM."""
    return any(read_switch(exposure.primary, switch) is State.PERFORM for switch in switches)


@dataclass(frozen=True, slots=True)
class Flow:
    """Which tasks an exposure goes through.

    Attributes
    ----------
    ccd, cte, image : bool
        Whether acsccd, acscte and acs2d have something to do.
    expscorr : bool
        Whether EXPSCORR is PERFORM, so that acs2d sets it to COMPLETE.
    switches : frozenset of str
        Switches that acs2d follows.
    """

    ccd: bool
    cte: bool
    image: bool
    expscorr: bool
    switches: frozenset[str]

    @classmethod
    def of(cls, exposure: Exposure) -> Flow:
        """Look at the switches of a raw exposure."""
        is_ccd = Observation.of(exposure.primary).is_ccd
        followed = IMAGE_SWITCHES if is_ccd else (*IMAGE_SWITCHES, "DQICORR")
        switches = frozenset(switch for switch in followed if performed(exposure, switch))
        return cls(
            is_ccd and performed(exposure, *CCD_SWITCHES),
            is_ccd and performed(exposure, "PCTECORR"),
            bool(switches),
            performed(exposure, "EXPSCORR"),
            switches,
        )

    @property
    def nothing(self) -> bool:
        """Whether no task has anything to do."""
        return not (self.ccd or self.cte or self.image)


@dataclass(slots=True)
class Plan:
    """What the pipeline is going to do with one exposure, found out without its pixels.

    Attributes
    ----------
    exposure : Exposure
        Headers of the raw exposure.
    jobs : list of Job
        The tasks in order, prepared; empty where there is nothing to do.
    problems : Problems
        All that is wrong.
    calibrated : list of Exposure
        What acsccd and, with PCTECORR, acscte will make of it, without pixels; for the tasks that combine exposures.
    """

    exposure: Exposure
    jobs: list[Job] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)
    calibrated: list[Exposure] = field(default_factory=list)


def plan_exposure(
    exposure: Exposure, given: Overrides, refs: References, flow: Flow | None = None, *, combined: bool = False
) -> Plan:
    """Prepare all tasks of an exposure whose pixels are not read.

    Parameters
    ----------
    exposure : Exposure
        Headers of the raw exposure.
    given : Overrides
        What the caller replaces.
    refs : References
        Reference files.
    flow : Flow
        The tasks to go through, where those of another exposure of the association count.
    combined : bool
        Whether the exposure is going to be combined with others, so that there is something to do in any case.
    """
    plan = Plan(exposure)
    with plan.problems:
        flow = flow or Flow.of(exposure)
        if flow.nothing and not combined:
            raise NothingToDo(f"{exposure.name}: no calibration switch is PERFORM: nothing to do")
        shadow = exposure
        if flow.ccd:
            plan.jobs.append(acsccd.prepare(exposure, given, refs=refs, problems=plan.problems))
            shadow = acsccd.predict(plan.jobs[-1])
            if len(shadow.imsets) < len(exposure.imsets):
                # No row of CCDTAB: of the tasks after this one only the reference files can be looked for.
                _look_for_references(exposure, refs, plan.problems)
                return plan
        plan.calibrated.append(shadow)
        if flow.cte:
            job = acscte.prepare(shadow.copy_headers(), given, refs=refs, problems=plan.problems)
            plan.jobs.append(job)
            plan.calibrated.append(acscte.predict(job))
        if flow.image:
            for cte_corrected, product in enumerate(plan.calibrated):
                plan.jobs.append(
                    acs2d.prepare(
                        product.copy_headers(),
                        given,
                        refs=refs,
                        problems=plan.problems,
                        cte_corrected=bool(cte_corrected),
                        expscorr=flow.expscorr,
                        switches=flow.switches,
                    )
                )
                plan.jobs[-1].label = "acs2d after acscte" if cte_corrected else "acs2d"
    return plan


def _look_for_references(exposure: Exposure, refs: References, problems: Problems) -> None:
    """Find what is missing among the reference files of all switches that are PERFORM."""
    detector = Observation.of(exposure.primary).detector
    for spec in REGISTRY.values():
        wanted = detector in spec.detectors and performed(exposure, *set(spec.switches) - COMBINING_SWITCHES)
        if wanted and (spec.keyword != "DRKCFILE" or performed(exposure, "PCTECORR")):
            with problems:
                refs.require(spec.keyword)


@dataclass(slots=True)
class Bench:
    """Where one exposure is calibrated.

    Attributes
    ----------
    given : Overrides
        What the caller replaces.
    refs : References
        Reference files.
    n_threads : int
        Threads to use.
    progress : callable or None
        Called with a text before each step.
    """

    given: Overrides
    refs: References
    n_threads: int = 1
    progress: Progress | None = None

    def level(self, exposure: Exposure, flow: Flow) -> Iterator[tuple[str, Exposure]]:
        """First half: bias level and CTE correction.

        Yields
        ------
        name : str
            File name of the intermediate exposure.
        calibrated : Exposure
            The exposure itself, changed in place, and then, with PCTECORR, a corrected copy.
        """
        name = product_name(exposure, "_blv_tmp")
        if flow.ccd:
            with banner("acsccd", ("Input", Path(exposure.name)), ("Output", Path(name))):
                job = acsccd.prepare(exposure, self.given, n_threads=self.n_threads, refs=self.refs)
                acsccd.finish(job, name, self.progress)
        else:
            exposure.primary.set("FILENAME", filename_keyword(name), "name of file")
        corrected = exposure.copy() if flow.cte else None
        yield name, exposure
        if corrected is not None:
            source, name = Path(name), product_name(corrected, "_blc_tmp")
            with banner("acscte", ("Input", source), ("Output", Path(name))):
                job = acscte.prepare(corrected, self.given, n_threads=self.n_threads, refs=self.refs)
                acscte.finish(job, name, self.progress)
            yield name, corrected

    def image(self, exposure: Exposure, flow: Flow, source: str, name: str, *, cte_corrected: bool) -> Exposure:
        """Second half: dark, flat, photometry; the exposure, which is called `source`, is changed in place."""
        if flow.image:
            with banner("acs2d", ("Input", Path(source)), ("Output", Path(name))):
                job = acs2d.prepare(
                    exposure,
                    self.given,
                    n_threads=self.n_threads,
                    refs=self.refs,
                    cte_corrected=cte_corrected,
                    expscorr=flow.expscorr,
                    switches=flow.switches,
                )
                acs2d.finish(job, name, self.progress)
        else:
            exposure.primary.set("FILENAME", filename_keyword(name), "name of file")
        self.given.add_history(exposure)
        return exposure


def product_name(exposure: Exposure, suffix: str) -> str:
    """File name of a product of a raw exposure."""
    return with_suffix(exposure.name, "_raw", suffix).name


def calibrate(exposure: Exposure, bench: Bench) -> Iterator[tuple[str, Exposure]]:
    """Take a planned exposure through all tasks.

    Yields
    ------
    name : str
        File name: the intermediate ones (``x_blv_tmp.fits``) first, the products (``x_flt.fits``, ``x_flc.fits``) last.
    exposure : Exposure
        To be used at once: intermediate exposures are changed afterwards.
    """
    flow = Flow.of(exposure)
    calibrated: list[tuple[str, Exposure]] = []
    raw = exposure.name
    if Observation.of(exposure.primary).is_ccd:
        for name, one in bench.level(exposure, flow):
            yield name, one
            calibrated.append((name, one))
    else:
        calibrated.append((raw, exposure))
    for (source, one), suffix in zip(calibrated, ("_flt", "_flc"), strict=False):
        name = product_name(exposure, suffix)
        yield name, bench.image(one, flow, source, name, cte_corrected=suffix == "_flc")


def shared_references(first: Exposure) -> dict[str, Any]:
    """Reference files that the first exposure of a position names for all of them."""

    def shared(spec: RefSpec) -> bool:
        # Sections of the overscan are common to all only where the bias level is subtracted.
        switches = ("BLEVCORR",) if spec.keyword == "OSCNTAB" else spec.switches
        return spec.keyword not in OWN_REFERENCES and (not switches or performed(first, *switches))

    return {spec.keyword: first.primary.get_str(spec.keyword, "") for spec in REGISTRY.values() if shared(spec)}


def targets(exposure: Exposure, folder: Path, flow: Flow, *, temporaries: bool) -> list[Path]:
    """Files that the pipeline will write for an exposure."""
    suffixes = ["_flt"] + ["_flc"] * flow.cte
    if temporaries and Observation.of(exposure.primary).is_ccd:
        suffixes += ["_blv_tmp"] + ["_blc_tmp"] * flow.cte
    return [folder / product_name(exposure, suffix) for suffix in suffixes]


def refuse_existing(exposure: Exposure, folder: Path, flow: Flow, *, temporaries: bool, clobber: bool) -> None:
    """Raise OutputExists if a file that will be written exists and may not be replaced."""
    for target in targets(exposure, folder, flow, temporaries=temporaries):
        fits.refuse_existing(target, clobber=clobber)
