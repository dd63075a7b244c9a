"""Exceptions of calacs, with the status numbers of official CALACS.

Every message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "AssociationError",
    "CalacsError",
    "CalacsWarning",
    "ChipNotFound",
    "ColumnNotFound",
    "ExposuresFailed",
    "FileNotReadable",
    "HeaderProblem",
    "InvalidValue",
    "KernelError",
    "KeywordMissing",
    "NoGoodData",
    "NothingToDo",
    "OutputExists",
    "PreflightFailed",
    "ReferenceCoarser",
    "ReferenceMissing",
    "RowNotFound",
    "SizeMismatch",
    "StepNotDone",
    "TableError",
    "Unsupported",
    "WriteFailed",
]


class CalacsWarning(UserWarning):
    """Something looks doubtful, but the result is what official CALACS would give."""


class CalacsError(Exception):
    """Base of all errors of calacs.

    Attributes
    ----------
    status : int
        Status number that official CALACS uses for this kind of failure (``include/hstcalerr.h``).
    """

    status = 2
    _context: tuple[str, ...] = ()

    def add_context(self, text: str) -> None:
        """Say where the error happened: a step, a member of an association; the widest place comes first."""
        if text not in self._context:
            self._context = (text, *self._context)

    def __str__(self) -> str:
        return ": ".join([*self._context, super().__str__()])


class FileNotReadable(CalacsError):
    """A file is missing, unreadable, truncated or not FITS."""

    status = 114


class ReferenceMissing(CalacsError):
    """A reference file is not named, cannot be opened, or is a dummy where none is allowed."""

    status = 115


class NothingToDo(CalacsError):
    """No calibration step is to be performed."""

    status = 116


class KeywordMissing(CalacsError):
    """A required header keyword is absent."""

    status = 117


class HeaderProblem(CalacsError):
    """A header keyword has a value of the wrong type or outside its domain."""

    status = 119


class SizeMismatch(CalacsError):
    """Image sizes or offsets do not fit together."""

    status = 120


class StepNotDone(CalacsError):
    """An earlier calibration step is required first."""

    status = 130


class TableError(CalacsError):
    """A table is unreadable, empty, or holds invalid values."""

    status = 141


class RowNotFound(TableError):
    """No row of a table matches the exposure."""

    status = 141


class ColumnNotFound(CalacsError):
    """A table lacks a column."""

    status = 142


class NoGoodData(CalacsError):
    """All pixels are flagged as bad."""

    status = 151


class ChipNotFound(CalacsError):
    """A reference file holds no image of the exposure's chip."""

    status = 152


class ReferenceCoarser(SizeMismatch):
    """A reference image is binned more than the exposure."""

    status = 171


class AssociationError(CalacsError):
    """An association table is inconsistent."""

    status = 2


class WriteFailed(CalacsError):
    """A product could not be written; nothing is left under its final name."""

    status = 1020


class OutputExists(CalacsError):
    """A product exists already and overwriting was not asked for."""

    status = 1021


class InvalidValue(CalacsError):
    """A parameter or keyword value is outside its domain."""

    status = 1111


class Unsupported(CalacsError):
    """The exposure needs something that this version does not do."""

    status = 1030


class KernelError(CalacsError, ValueError):
    """A kernel of the C core refused its arguments.

    Attributes
    ----------
    code : int
        Status code of the C core.
    """

    status = 999

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the C core refused its arguments: {text} (code {code})")
        self.code = code


class PreflightFailed(CalacsError):
    """Several problems were found before the first pixel changed; all are reported together.

    Attributes
    ----------
    problems : tuple of CalacsError
        What was found, in the order of the checks.
    """

    def __init__(self, where: str, problems: Sequence[CalacsError]) -> None:
        lines = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, 1))
        super().__init__(f"{where}: {len(problems)} problems were found, nothing was calibrated:\n{lines}")
        self.problems = tuple(problems)
        self.status = problems[0].status


class ExposuresFailed(CalacsError):
    """Some of several exposures or associations could not be calibrated; the products of the others are complete.

    Attributes
    ----------
    failures : dict of Path to Exception
        What was wrong, by input.
    products : tuple of Path
        Products of the others.
    """

    def __init__(self, failures: Mapping[Path, Exception], products: Sequence[Path], n_input: int) -> None:
        lines = "\n".join(f"  {number}. {path}: {error}" for number, (path, error) in enumerate(failures.items(), 1))
        others = ", the others are calibrated" if n_input > len(failures) else ""
        super().__init__(f"{len(failures)} of {n_input} inputs failed{others}:\n{lines}")
        self.failures = dict(failures)
        self.products = tuple(products)
        self.status = next((getattr(error, "status", 2) for error in failures.values()), 2)
