"""Reports in plain text: what an exposure is, what would be done with it, and with which reference files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from calacs.errors import CalacsError
from calacs.observation import Observation
from calacs.registry import REGISTRY
from calacs.step import Job, State, Step

if TYPE_CHECKING:
    from calacs.flow import Plan
    from calacs.refs import Problems

_VERDICT = {
    State.PERFORM: "will be done",
    State.OMIT: "omitted",
    State.DUMMY: "skipped: dummy reference file",
    State.IGNORED: "not performed",
}


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Align rows of text, the first of them the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def describe_exposure(plan: Plan) -> str:
    """What an exposure is: detector, format, filters, times."""
    exposure = plan.exposure
    try:
        seen = Observation.of(exposure.primary)
    except CalacsError as error:
        return f"{exposure.name}: {error}"
    what = "subarray" if seen.subarray else "full frame"
    filters = " ".join(name for name in (seen.filter1, seen.filter2) if name)
    lines = [
        f"{exposure.name}: {seen.detector} {what}, aperture {seen.aperture or 'not given'}, {filters}, {seen.exptime:g} s",
        f"  target {seen.targname or 'not given'}, started MJD {seen.expstart:.4f}"
        + (f" ({'after' if seen.post_sm4 else 'before'} Servicing Mission 4)" if seen.detector == "WFC" else ""),
    ]
    if seen.is_ccd:
        lines.append(f"  amplifiers {seen.ccdamp}, gain {seen.ccdgain:g}, readout {seen.jwrotype or 'not given'}")
    for imset in exposure.imsets:
        n_row, n_col = imset.shape
        lines.append(f"  image set {imset.extver}: chip {imset.chip}, {n_col} columns x {n_row} rows")
    return "\n".join(lines)


def describe_steps(plan: Plan) -> str:
    """Which step of which task will do what."""
    rows = [("task", "step", "verdict", "what it does")]
    for job in plan.jobs:
        for step in job.steps:
            what = (step.__doc__ or "").strip().partition("\n")[0]
            rows.append((job.label, step.name, _VERDICT[step.state(job)], what))
    return format_table(rows)


def describe_references(plan: Plan) -> str:
    """Which reference files are used, what was chosen in them, and whether they will do."""
    rows = [("keyword", "file", "chosen", "verdict")]
    bad = {str(problem.args[0]).partition(" ")[0].rstrip(":") for problem in plan.problems.found}
    listed = set()
    for keyword, step, job in _used(plan.jobs):
        listed.add(keyword)
        if keyword in bad:
            rows.append(_bad_row(plan, keyword))
            continue
        reference = job.refs[keyword]
        if not reference.given:
            verdict = "not given, not needed"
        elif reference.dummy:
            verdict = "dummy" if step is None else f"dummy: {step.name} will be skipped"
        else:
            verdict = "good"
        rows.append((keyword, reference.name, ", ".join(reference.chosen), verdict))
    # Where a task cannot be prepared, the files of the tasks after it are only looked for.
    found = {reference.spec.keyword: reference for job in plan.jobs for reference in job.refs if reference.given}
    for keyword in REGISTRY:
        if keyword in listed:
            continue
        if keyword in bad:
            rows.append(_bad_row(plan, keyword))
        elif keyword in found and bad:
            rows.append((keyword, found[keyword].name, "", "found, not checked further"))
    return format_table(rows)


def _bad_row(plan: Plan, keyword: str) -> tuple[str, str, str, str]:
    return keyword, str(plan.exposure.primary.get(keyword, "")), "", "see below"


def _used(jobs: Iterable[Job]) -> Iterator[tuple[str, Step | None, Job]]:
    """Each reference file once, with the first step that uses it."""
    seen: set[str] = set()
    for job in jobs:
        for keyword in job.always:
            if keyword not in seen:
                seen.add(keyword)
                yield keyword, None, job
        for step in job.steps:
            if step.state(job) is State.OMIT:
                continue
            for keyword in step.refs:
                if keyword not in seen:
                    seen.add(keyword)
                    yield keyword, step, job


def count(problems: Problems) -> str:
    """How many problems there are, in words."""
    n = len(problems.found)
    return "one problem" if n == 1 else f"{n} problems"


def describe_problems(problems: Problems) -> str:
    """All that is wrong, numbered."""
    return "\n".join(f"{number}. {problem}" for number, problem in enumerate(problems.found, 1))
