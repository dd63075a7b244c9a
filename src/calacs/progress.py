"""Progress on a terminal: one line that is rewritten; silent where output goes to a file or a pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import IO


class ProgressLine:
    """A line that tells what is going on.

    Parameters
    ----------
    total : int
        Number of things to do.
    stream : file
        Where to write; nothing is written unless it is a terminal.

    Examples
    --------
    >>> with ProgressLine(2) as progress:
    ...     progress("first")
    ...     progress.done()
    """

    def __init__(self, total: int = 0, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = bool(getattr(self._stream, "isatty", lambda: False)())
        self._total, self._n_done = total, 0
        self._started = time.perf_counter()
        self.label = ""

    def __call__(self, text: str) -> None:
        """Show what is being done."""
        if self._shown:
            count = f"[{self._n_done + 1}/{self._total}] " if self._total else ""
            seconds = time.perf_counter() - self._started
            line = f"{count}{seconds:5.1f} s  {self.label}  {text}"
            self._stream.write(f"\r\x1b[K{line[:119]}")
            self._stream.flush()

    def done(self) -> None:
        """Count one thing as done."""
        self._n_done += 1

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Wipe the line, to make room for other output."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
