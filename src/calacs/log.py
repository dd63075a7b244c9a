"""Messages: the library logs, the file doors print and keep trailers.

The logger is ``calacs``; its one handler serves the trailers.  A file door shows the messages of its run on standard
output, unless told to be quiet, and appends them to the trailer file (``x.tra``) beside the product.  Trailers nest: what
a pipeline says before its first task begins the first trailer that a task opens, and what it says at the end goes to the
last one.

Notes
-----
Wording of banners and prefixes, and rules of trailers: HSTCAL ``pkg/acs/lib/prinfo.c``, ``lib/trlbuf.c``,
``lib/timestamp.c``.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from calacs._version import CAL_VER
from calacs.errors import CalacsWarning, NothingToDo

log = logging.getLogger("calacs")

_PREFIX = {logging.WARNING: "Warning    ", logging.ERROR: "ERROR:    "}
_LINE = 80


class TrailerHandler(logging.Handler):
    """Shows messages and keeps them in a trailer file.

    Parameters
    ----------
    path : Path or None
        The trailer; None keeps messages until another trailer takes them.
    quiet, verbose, time_stamps : bool
        Nothing on standard output, more messages, the time of steps.
    revise : bool
        Replace what an earlier run of a task left in the trailer, instead of adding to it.
    """

    def __init__(
        self, path: Path | None, *, quiet: bool, verbose: bool, time_stamps: bool, revise: bool = False
    ) -> None:
        super().__init__(logging.DEBUG if verbose else logging.INFO)
        self.path = path
        self.quiet = quiet
        self.time_stamps = time_stamps
        self.lines: list[str] = []
        self.last: Path | None = None
        self._revise = revise
        self._file: IO[str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show and keep one message; a failure to do so is no failure of the run."""
        innermost = _innermost.get()
        if innermost is not self and (innermost is not None or self not in _handlers[-1:]):
            return  # another run's, or meant for a trailer inside this one; threads of a pool have no context
        text = _PREFIX.get(record.levelno, "") + record.getMessage()
        if getattr(record, "stamp", False):
            if not self.time_stamps:
                return
            text = time.strftime(f"%Y%j%H%M%S-I--------------- {text} ").ljust(_LINE, "-")
        self.keep(text)

    def keep(self, text: str) -> None:
        """Show and keep one line."""
        self.lines.append(text)
        self.show(text)
        if self.path is not None:
            self.save(self.path)

    def show(self, text: str) -> None:
        """Show one line."""
        if not self.quiet:
            try:
                print(text, file=sys.stdout, flush=True)
            except (OSError, ValueError):  # nobody listens, or the terminal lacks a character
                self.quiet = True

    def save(self, path: Path) -> None:
        """Append the lines kept so far to a trailer; a failure to do so is only reported."""
        if not self.lines:
            return
        try:
            if self._file is None:
                self._file = self._open(path)
            self._file.write("\n".join(self.lines) + "\n")
            self._file.flush()
        except OSError as error:
            self.path = None
            report_unwritten(path, error)
        self.lines.clear()

    def _open(self, path: Path) -> IO[str]:
        earlier = []
        if self._revise and path.exists():
            for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True):
                if "CALBEG" in line:
                    break
                earlier.append(line)
        file = open(path, "w" if self._revise else "a", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
        file.writelines(earlier)
        return file

    def close(self) -> None:
        """Close the trailer."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                report_unwritten(self._file.name, error)
            self._file = None
        super().close()


class _Dispatcher(logging.Handler):
    """The one handler of the library: hands messages to the trailers that are open.

    Handlers of the user must not see more because a trailer wants more; so, while there are trailers, messages reach
    them through this handler, if the level that the user chose lets them through.
    """

    user_level = logging.WARNING
    forwards = False

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one message on."""
        for handler in tuple(_handlers):
            if record.levelno >= handler.level:
                handler.handle(record)
        parent = log.parent
        if self.forwards and record.levelno >= self.user_level and parent is not None and parent.hasHandlers():
            parent.callHandlers(record)


_innermost: ContextVar[TrailerHandler | None] = ContextVar("calacs_trailer", default=None)
_handlers: list[TrailerHandler] = []
_lock = threading.Lock()
_chosen_level = [logging.NOTSET]
# Without a handler of its own, a library's warnings go to standard error.
_dispatcher = _Dispatcher()
log.addHandler(_dispatcher)


_muted: ContextVar[bool] = ContextVar("calacs_muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Keep still about doubts: what looks doubtful while a run is planned is met again when it is done."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


def caution(where: str, text: str) -> None:
    """Report something doubtful, as a message and as a `CalacsWarning`."""
    if not _muted.get():
        log.warning("%s", text)
        warnings.warn(f"{where}: {text}" if where else text, CalacsWarning, stacklevel=4)


def report_unwritten(path: Path | str, error: OSError) -> None:
    """Say that a trailer could not be written."""
    print(f"Warning    the trailer {path} cannot be written: {error.strerror}", file=sys.stderr)


@contextmanager
def trailer(
    path: Path | None,
    *,
    quiet: bool = False,
    verbose: bool = False,
    time_stamps: bool = False,
    revise: bool = False,
) -> Iterator[TrailerHandler]:
    """Show the messages of the block, and append them to a trailer file.

    Parameters
    ----------
    path : Path or None
        The trailer file.  None: messages wait for the first trailer that is opened inside the block; those of the end of
        the block go to the last one.
    quiet, verbose, time_stamps, revise : bool
        As of `TrailerHandler`.
    """
    outer = _innermost.get()
    handler = TrailerHandler(path, quiet=quiet, verbose=verbose, time_stamps=time_stamps, revise=revise)
    if outer is not None and outer.path is None:
        handler.lines, outer.lines = outer.lines, []
    token = _innermost.set(handler)
    _attach(handler)
    try:
        if revise and path is not None:
            handler.show(f"{'Revising existing' if path.exists() else 'Creating new'} trailer file `{path}'.")
        yield handler
    finally:
        _detach(handler)
        _innermost.reset(token)
        if path is None and handler.last is not None:
            handler.save(handler.last)
        handler.close()
        if outer is not None:
            outer.last = path or handler.last or outer.last
            outer.lines += handler.lines


def _attach(handler: TrailerHandler) -> None:
    with _lock:
        if not _handlers:
            _chosen_level[0] = log.level
            _dispatcher.user_level = log.getEffectiveLevel()
            _dispatcher.forwards, log.propagate = log.propagate, False
        _handlers.append(handler)
        _choose_level()


def _detach(handler: TrailerHandler) -> None:
    with _lock:
        _handlers.remove(handler)
        _choose_level()
        if not _handlers:
            log.propagate, _dispatcher.forwards = _dispatcher.forwards, False


def _choose_level() -> None:
    """Let everything pass that one of the runs wants; afterwards, what the user chose."""
    levels = [handler.level for handler in _handlers] + [level for level in _chosen_level if level]
    log.setLevel(min(levels) if _handlers else _chosen_level[0])


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
    source = ",".join(str(path) for label, path in files if label == "Input")
    try:
        yield
    except Exception as error:
        if not getattr(error, "logged", False):
            log.error("%s", error)
            error.logged = True  # type: ignore[attr-defined]
        if task != "calacs":
            log.error("Error processing %s.", source)
        elif isinstance(error, NothingToDo):
            log.info("CALACS did NOT process %s", source)
        else:
            log.error("CALACS processing NOT completed for %s", source)
        raise
    log.info("")
    log.info("")
    log.info("End      %s", _now())
    log.info("")
    log.info("*** %s complete ***", name)
    stamp(f"{name} completed")
    if task == "calacs":
        log.info("CALACS completion for %s", source)


def _now() -> str:
    return time.strftime("%d-%b-%Y %H:%M:%S %Z")


def stamp(text: str) -> None:
    """Log a line with the time, shown only where time stamps are wanted."""
    log.info(text, extra={"stamp": True})
