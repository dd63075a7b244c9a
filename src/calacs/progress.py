"""Progress on a terminal or in a notebook: one line that is rewritten; silent where output goes to a file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

WIDTH = 119
"""Longest line."""


class ProgressLine:
    """A line that tells what is going on.

    Parameters
    ----------
    total : int
        Number of things to do.
    stream : file
        Where to write, by default the standard error; nothing is written unless it is a terminal or a notebook.

    Examples
    --------
    >>> with ProgressLine(2) as progress:
    ...     progress("first")
    ...     progress.done()
    """

    def __init__(self, total: int = 0, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        # Notebooks know the return of the carriage, but not all know how to wipe a line.
        notebook = type(self._stream).__module__.startswith("ipykernel")
        self._shown = notebook or bool(getattr(self._stream, "isatty", lambda: False)())
        self._wipe = f"\r{' ' * WIDTH}\r" if notebook else "\r\x1b[K"
        self._total, self._n_done = total, 0
        self._started = time.perf_counter()
        self.label = ""

    def __call__(self, text: str) -> None:
        """Show what is being done."""
        if self._shown:
            count = f"[{self._n_done + 1}/{self._total}] " if self._total else ""
            seconds = time.perf_counter() - self._started
            line = f"{count}{seconds:5.1f} s  {self.label}  {text}"
            self._stream.write(f"{self._wipe}{line[:WIDTH]}")
            self._stream.flush()

    def done(self) -> None:
        """Count one thing as done."""
        self._n_done += 1

    def over(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Go through files: name each, and count it as done when the next one is asked for."""
        for path in paths:
            self.label = path.name
            yield path
            self.done()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Wipe the line, to make room for other output."""
        if self._shown:
            self._stream.write(self._wipe)
            self._stream.flush()
