"""The step convention: one calibration step is one function in one file, and this decorator does the bookkeeping::

    @step("BIASCORR", refs=("BIASFILE",))
    def bias(job, sections):
        ...                                   # change job.exposure's pixels
        return Result(values={...})

    @bias.preflight
    def find_sections(job):                   # everything that can fail, before any pixel changes
        return [...]

`Step.run` looks at the switch, times the call, sets the switch keyword, writes HISTORY and appends a `StepRecord`.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from calacs.errors import CalacsError, HeaderProblem
from calacs.exposure import Exposure, ImSet
from calacs.header import Header
from calacs.log import caution, log, stamp
from calacs.observation import Observation
from calacs.parallel import resolve_threads
from calacs.refs import Problems, References
from calacs.reftables import CcdParams, Overscan


class State(enum.Enum):
    """What a calibration switch amounts to in one run."""

    PERFORM = "perform"
    OMIT = "omit"
    DUMMY = "dummy reference file"
    IGNORED = "not performed"


KEYWORD_VALUE = {State.PERFORM: "COMPLETE", State.DUMMY: "SKIPPED", State.IGNORED: "SKIPPED"}
SHOWN = {State.PERFORM: "PERFORM", State.OMIT: "OMIT", State.DUMMY: "SKIPPED", State.IGNORED: "SKIPPED"}
HISTORY_TEXT = {
    State.PERFORM: "{} complete ...",
    State.DUMMY: "{} skipped due to dummy reference file ...",
    State.IGNORED: "{} not performed ...",
}


def read_switch(header: Header, keyword: str) -> State:
    """Read a calibration switch: PERFORM, or anything else that means the step is not to be done.

    Raises
    ------
    HeaderProblem
        The value is none of PERFORM, COMPLETE, SKIPPED, OMIT.
    """
    value = header.get(keyword)
    if value is None and keyword not in header:
        return State.OMIT
    text = str(value if value is not None else "").strip().upper()
    if text not in ("PERFORM", "COMPLETE", "SKIPPED", "OMIT"):
        raise HeaderProblem(f"{header.where}: {keyword} = {value!r} is invalid; use PERFORM or OMIT")
    return State.PERFORM if text == "PERFORM" else State.OMIT


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one step did.

    Attributes
    ----------
    task, name : str
        Task and step (the switch keyword, or a plain word for steps without switch).
    status : str
        "complete", "skipped" or "omitted".
    seconds : float
        Wall time.
    references : dict of str to str
        Reference file, with what was chosen in it, by keyword.
    values : dict
        Measured values.
    notes : tuple of str
        Warnings; those of the checks beforehand stand in the first step that was performed.
    """

    task: str
    name: str
    status: str
    seconds: float
    references: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        from calacs.html import record_table

        return record_table((self,))


@dataclass(slots=True)
class Result:
    """What a step's function hands back.

    Attributes
    ----------
    values : dict
        Measured values for the record.
    history : sequence of str or None
        HISTORY texts instead of the usual ones; the usual are a line for the switch and the reference files.
    state : State or None
        Another state than the switch's, for a step that found it has nothing to do.
    """

    values: dict[str, Any] = field(default_factory=dict)
    history: Sequence[str] | None = None
    state: State | None = None


@dataclass(slots=True)
class Chip:
    """What the reference tables say about one image set.

    Attributes
    ----------
    imset : ImSet
        The pixels.
    ccd : CcdParams or None
        Row of CCDTAB; None for the SBC.
    overscan : Overscan or None
        Row of OSCNTAB; None where there is none.
    """

    imset: ImSet
    ccd: CcdParams
    overscan: Overscan | None = None


@dataclass(slots=True)
class Job:
    """One exposure on its way through one task.

    Attributes
    ----------
    task : str
        Name of the task.
    exposure : Exposure
        The task's own copy: steps change it in place.
    observation : Observation
        Facts of the primary header.
    refs : References
        The reference files.
    states : dict of str to State
        State of each switch.
    chips : list of Chip
        One per image set, for CCDs.
    prepared : dict of str to object
        What the preflight of each step found, by step name.
    steps : sequence of Step
        The task's steps, in order.
    always : tuple of str
        Keywords of the reference files that the task needs whatever the switches say.
    label : str
        What reports call the job; the task's name by default.
    amp_levels : dict of str to float
        Bias level subtracted, in electron, by amplifier.
    n_threads : int
        Threads a step may use.
    progress : callable or None
        Takes texts on the progress.
    """

    task: str
    exposure: Exposure
    observation: Observation
    refs: References
    states: dict[str, State] = field(default_factory=dict)
    chips: list[Chip] = field(default_factory=list)
    prepared: dict[str, Any] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    always: tuple[str, ...] = ()
    label: str = ""
    amp_levels: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    n_threads: int = 1
    progress: Callable[[str], None] | None = None

    def report(self, text: str | None) -> None:
        """Hand a text on the progress to the caller, if there is one."""
        if text is not None and self.progress is not None:
            self.progress(f"{self.task}: {text}")

    def __post_init__(self) -> None:
        self.label = self.label or self.task
        self.n_threads = resolve_threads(self.n_threads)

    def warn(self, text: str) -> None:
        """Report something doubtful: a note in the step's record and a `CalacsWarning`."""
        self.notes.append(text)
        caution(self.exposure.name, text)


class Step:
    """One calibration step; made by the decorator `step`."""

    def __init__(
        self,
        function: Callable[..., Result | None],
        name: str,
        switch: str | None,
        refs: tuple[str, ...],
        with_dummy: bool,
    ) -> None:
        self.function = function
        self.name = name
        self.switch = switch
        self.refs = refs
        self.with_dummy = with_dummy
        self._preflight: Callable[[Job], Any] | None = None
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<Step {self.name}>"

    def preflight(self, function: Callable[[Job], Any]) -> Callable[[Job], Any]:
        """Register the function that looks up all a step needs; its result becomes the step's second argument."""
        self._preflight = function
        return function

    def state(self, job: Job) -> State:
        """State of the step's switch; steps without switch are always performed."""
        return State.PERFORM if self.switch is None else job.states[self.switch]

    def prepare(self, job: Job, problems: Problems, *, lookups: bool = True) -> None:
        """Look up the references and, with `lookups`, run the preflight, if the step is to run at all."""
        state = self.state(job)
        if state is State.OMIT:
            return
        n_problem = len(problems.found)
        for keyword in self.refs:
            with problems:
                reference = job.refs.require(keyword)
                if reference.dummy and reference.spec.dummy == "skip" and self.switch is not None:
                    job.states[self.switch] = State.DUMMY
        runs = self.state(job) is State.PERFORM or self.with_dummy
        if lookups and runs and self._preflight is not None and len(problems.found) == n_problem:
            with problems:
                job.prepared[self.name] = self._preflight(job)

    def run(self, job: Job) -> StepRecord:
        """Perform the step if its switch says so, and leave its traces in the header and in the records."""
        state = self.state(job)
        if self.switch is not None:
            log.info("%-8s %s", self.switch, SHOWN[state])
        if state is State.OMIT:
            record = StepRecord(job.task, self.name, "omitted", 0.0)
            job.exposure.records.append(record)
            return record
        started = time.perf_counter()
        result = Result()
        if state is State.PERFORM or self.with_dummy:
            arguments = (job,) if self._preflight is None else (job, job.prepared[self.name])
            try:
                result = self.function(*arguments) or result
            except CalacsError as error:
                error.add_context(f"{job.task} {self.name}")
                raise
        state = result.state or state
        self._write_traces(job, state, result)
        record = StepRecord(
            job.task,
            self.name,
            KEYWORD_VALUE[state].lower(),
            time.perf_counter() - started,
            {key: describe(job.refs[key]) for key in self.refs if job.refs[key].given},
            result.values,
            tuple(job.notes),
        )
        job.notes.clear()
        job.exposure.records.append(record)
        self._report(record, job)
        return record

    def _report(self, record: StepRecord, job: Job) -> None:
        for key in record.references:
            reference = job.refs[key]
            shown = "DQITAB" if key == "BPIXTAB" else key
            log.info("%-8s %s", shown, reference.name)
            if reference.chosen:
                log.debug("%s: %s", shown, record.references[key])
            for label, text in (("PEDIGREE=", reference.pedigree), ("DESCRIP =", reference.descrip)):
                if text:
                    log.info("%-8s %s%s", shown, label, text)
        for key, value in record.values.items():
            log.debug("%s: %s = %s", self.name, key, value)
        if self.switch is not None:
            log.info("%-8s %s", self.switch, record.status.upper())
        stamp(f"{self.name} complete in {record.seconds:.2f} s: {job.exposure.name}")

    def _write_traces(self, job: Job, state: State, result: Result) -> None:
        primary = job.exposure.primary
        texts = result.history
        if self.switch is not None:
            primary.set(self.switch, KEYWORD_VALUE[state])
        if texts is None and self.switch is not None:
            texts = [HISTORY_TEXT[state].format(self.switch)]
            texts += [line for keyword in self.refs if job.refs[keyword].given for line in job.refs[keyword].history()]
        for text in texts or ():
            primary.add_history(text)


def describe(reference: Any) -> str:
    """Name of a reference file and what was chosen in it."""
    return " ".join([reference.name, *reference.chosen])


def step(
    name: str, *, refs: tuple[str, ...] = (), switch: bool = True, with_dummy: bool = False
) -> Callable[[Callable[..., Result | None]], Step]:
    """Turn a function of a `Job` into a calibration step.

    Parameters
    ----------
    name : str
        Calibration switch, or a plain word for a step without one.
    refs : tuple of str
        Keywords of the reference files that the step uses, in the order of their HISTORY cards.
    switch : bool
        Whether `name` is a switch.
    with_dummy : bool
        Whether the function runs even when a reference file is a dummy.
    """

    def decorate(function: Callable[..., Result | None]) -> Step:
        return Step(function, name, name if switch else None, refs, with_dummy)

    return decorate


def prepare_steps(job: Job, steps: Sequence[Step], problems: Problems, *, lookups: bool = True) -> None:
    """Look up the references of every step and run its preflight; `problems` collects what is found.

    Without `lookups` only the files are looked for: what is needed to look into them is missing already.
    """
    job.steps = steps
    for one in steps:
        one.prepare(job, problems, lookups=lookups)


def execute(job: Job, steps: Sequence[Step], progress: Callable[[str], None] | None = None) -> None:
    """Run the steps of a task in order."""
    job.progress = progress
    for one in steps:
        job.report(one.name)
        one.run(job)
