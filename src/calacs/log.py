"""Messages: the library logs, the file doors print and keep trailers.

The logger is ``calacs``; the library attaches no handler to it.  A file door shows the messages of its run on standard
output, unless told to be quiet, and appends them to the trailer file (``x.tra``) beside the product.

Notes
-----
Wording of banners and prefixes: HSTCAL ``pkg/acs/lib/prinfo.c``, ``lib/trl.c``, ``lib/timestamp.c``.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calacs._version import CAL_VER

log = logging.getLogger("calacs")

_PREFIX = {logging.WARNING: "Warning    ", logging.ERROR: "ERROR:    "}
_LINE = 80


class TrailerHandler(logging.Handler):
    """Shows messages and keeps them for a trailer file."""

    def __init__(self, path: Path | None, *, quiet: bool, verbose: bool, time_stamps: bool) -> None:
        super().__init__(logging.DEBUG if verbose else logging.INFO)
        self.path = path
        self.quiet = quiet
        self.time_stamps = time_stamps
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Show and keep one message."""
        text = _PREFIX.get(record.levelno, "") + record.getMessage()
        if getattr(record, "stamp", False):
            if not self.time_stamps:
                return
            text = time.strftime(f"%Y%j%H%M%S-I--------------- {text} ").ljust(_LINE, "-")
        self.lines.append(text)
        if not self.quiet:
            print(text, file=sys.stdout, flush=True)

    def save(self) -> None:
        """Append the messages to the trailer; a failure to do so is only reported."""
        if self.path is None or not self.lines:
            return
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n".join(self.lines) + "\n")
        except OSError as error:
            print(f"Warning    the trailer {self.path} cannot be written: {error.strerror}", file=sys.stderr)


@contextmanager
def trailer(
    path: Path | None, *, quiet: bool = False, verbose: bool = False, time_stamps: bool = False
) -> Iterator[TrailerHandler]:
    """Show the messages of the block, and append them to a trailer file."""
    handler = TrailerHandler(path, quiet=quiet, verbose=verbose, time_stamps=time_stamps)
    level = log.level
    log.addHandler(handler)
    log.setLevel(min(handler.level, level or handler.level))
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        handler.save()


@contextmanager
def banner(task: str, *files: tuple[str, Path]) -> Iterator[None]:
    """Mark the begin and the end of a task, and name its files."""
    name = task.upper()
    log.info("")
    log.info("CALBEG*** %s -- Version %s ***", name, CAL_VER)
    log.info("Begin    %s", _now())
    for label, path in files:
        log.info("%-8s %s", label, path)
    stamp(f"{name} started")
    try:
        yield
    except Exception as error:
        log.error("%s", error)
        raise
    stamp(f"{name} completed")
    log.info("End      %s", _now())
    log.info("")
    log.info("*** %s complete ***", name)


def _now() -> str:
    return time.strftime("%d-%b-%Y %H:%M:%S %Z")


def stamp(text: str) -> None:
    """Log a line with the time, shown only where time stamps are wanted."""
    log.info(text, extra={"stamp": True})
