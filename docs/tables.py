"""Tables and the API reference of the documentation, made from the package itself when the pages are built."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import calacs
from calacs import errors, observation, overrides
from calacs.dq import DQ
from calacs.registry import REGISTRY
from calacs.step import Step

TASKS = ("acsccd", "acscte", "acscteforwardmodel", "acs2d", "acsrej", "acssum", "calacs")
# Modules that most programs need, in the order of the reference; all others follow under "for developers".
COMMON = ("exposure", "header", "fits", "dq", "errors", "cte", "sim")
HIDDEN = ("calacs._core", "calacs.__main__", "calacs._version", "calacs.sim.")

Rows = Iterable[Sequence[str]]


def code(*names: str) -> str:
    """Names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def references() -> Rows:
    """The registry of reference files."""
    yield "Keyword", "Kind", "Detectors", "Switches", "Content", "Row chosen by", "If it is a dummy"
    verdict = {"skip": "step skipped", "missing": "error", "ignore": "used all the same", "own": "up to the step"}
    for spec in REGISTRY.values():
        yield (
            f"`{spec.keyword}`",
            spec.kind,
            " ".join(spec.detectors),
            code(*spec.switches) or "always",
            spec.content,
            code(*spec.row_keys) or ("" if spec.kind == "table" else "chip"),
            verdict[spec.dummy],
        )


def quality() -> Rows:
    """Data-quality bits."""
    documented = ModuleAnalyzer.for_module("calacs.dq").find_attr_docs()
    yield "Bit", "Name", "Meaning"
    for flag in DQ:
        yield str(flag.value), f"`{flag.name}`", " ".join(documented["DQ", str(flag.name)]).strip()


def recipes() -> dict[str, Sequence[Step]]:
    """The steps of every task that consists of steps."""
    found: dict[str, Sequence[Step]] = {}
    for task in TASKS:
        steps = getattr(importlib.import_module(f"calacs.{task}"), "STEPS", ())
        found |= dict(steps) if isinstance(steps, Mapping) else {task: steps} if steps else {}
    return found


def steps(task: str) -> Rows:
    """The steps of a task, in order."""
    yield "Step", "What it does", "Reference files", "Module"
    for step in recipes()[task]:
        name = f"`{step.name}`" if step.switch else step.name
        yield name, first_sentence(step.function.__doc__), code(*step.refs), f"`{step.function.__module__}`"


def first_sentence(text: str | None) -> str:
    """First paragraph of a docstring, on one line."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def switches() -> Rows:
    """Calibration switches."""
    yield "Switch", "Reference files"
    for switch in overrides.SWITCHES:
        yield f"`{switch.lower()}`", code(*(spec.keyword for spec in REGISTRY.values() if switch in spec.switches))


def header_parameters() -> Rows:
    """Header values that a caller may replace."""
    yield "Header", "Arguments"
    yield "primary", code(*(name.lower().replace("-", "_") for name in observation.PARAMETERS))
    yield "SCI", code(*(name.lower() for name in overrides.SCI_PARAMETERS))


def table_parameters() -> Rows:
    """Values of reference tables that a caller may replace."""
    yield "Table", "Arguments"
    for spec in REGISTRY.values():
        if spec.parameters:
            yield f"`{spec.keyword}`", code(*(name.lower() for name in spec.parameters))


def exceptions() -> Rows:
    """The exceptions and the status numbers of official CALACS."""
    yield "Exception", "Status", "Meaning"
    for name in errors.__all__:
        kind = getattr(errors, name)
        status = (
            ""
            if not hasattr(kind, "status")
            else "of the first problem"
            if name == "PreflightFailed"
            else str(kind.status)
        )
        yield f"`{name}`", status, first_sentence(kind.__doc__)


def effects() -> Rows:
    """Effects of the simulator."""
    from calacs.sim import ALL_EFFECTS, DEFAULT_EFFECTS

    yield "Effect", "On by default for"
    for effect in ALL_EFFECTS:
        yield f"`{effect}`", ", ".join(detector for detector, on in DEFAULT_EFFECTS.items() if effect in on) or "none"


TABLES: dict[str, Callable[..., Rows]] = {
    function.__name__: function
    for function in (
        references,
        quality,
        steps,
        switches,
        header_parameters,
        table_parameters,
        exceptions,
        effects,
    )
}


def markdown(rows: Rows) -> str:
    """Rows, the first of them the heading, as a Markdown table."""
    heading, *body = [[cell.replace("|", "\\|") or " " for cell in row] for row in rows]
    lines = [heading, ["---"] * len(heading), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class TableDirective(SphinxDirective):
    """``{calacs-table} NAME [ARGUMENT]``: one of `TABLES`."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        name, *arguments = self.arguments
        self.env.note_reread()
        return list(self.parse_text_to_nodes(markdown(TABLES[name](*arguments))))


class StepsDirective(SphinxDirective):
    """``{calacs-steps}``: a section with the steps of each task that is a tuple of steps."""

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        self.env.note_reread()
        lines = []
        for task in recipes():
            lines += [f"## Steps of {task}", "", markdown(steps(task)), ""]
        return list(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def modules() -> Iterator[tuple[str, list[str]]]:
    """Modules by group."""
    every = [info.name for info in pkgutil.walk_packages(calacs.__path__, "calacs.")]
    every = [name for name in every if not name.startswith(HIDDEN)]
    groups = {"Tasks": [f"calacs.{name}" for name in TASKS], "Data and tools": [f"calacs.{name}" for name in COMMON]}
    groups["Steps"] = [name for name in every if name.startswith("calacs.steps.")]
    known = {name for group in groups.values() for name in group} | {"calacs.steps"}
    groups["For developers"] = [name for name in every if name not in known]
    for title, names in groups.items():
        yield title, [name for name in names if name in every]


class ApiDirective(SphinxDirective):
    """``.. calacs-api::``: reference of all modules, from their docstrings."""

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        self.env.note_reread()
        lines: list[str] = []
        for title, names in modules():
            lines += [title, "-" * len(title), ""]
            for name in names:
                lines += [name, "^" * len(name), "", f".. automodule:: {name}", "   :members:", ""]
        return list(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("calacs-table", TableDirective)
    app.add_directive("calacs-steps", StepsDirective)
    app.add_directive("calacs-api", ApiDirective)
    return {"parallel_read_safe": True}
