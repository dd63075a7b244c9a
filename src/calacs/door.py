"""The file door: what ACSTOOLS' functions accept, and how a task is run over files."""

from __future__ import annotations

import glob
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calacs import association, log
from calacs.errors import AssociationError, CalacsWarning, FileNotReadable
from calacs.names import expand, without_gz
from calacs.options import Options, parse_exe_args
from calacs.parallel import resolve_threads
from calacs.progress import ProgressLine


def expand_input(source: Any) -> list[Path]:
    """Turn a task's input into file names.

    Parameters
    ----------
    source : str, path-like or iterable of them
        File name, comma-separated text, wildcards, ``@file`` with one name per line.  Variables (``name$file``) are
        expanded.  A name without match stays, so that it can be reported.

    Raises
    ------
    FileNotReadable
        No file matches the wildcards, or the list cannot be read.
    """
    return list(_expand(source))


def _expand(source: Any) -> Iterator[Path]:
    if isinstance(source, os.PathLike):
        yield Path(source)
    elif not isinstance(source, str):
        for item in source:
            yield from _expand(item)
    elif os.path.exists(source):
        yield Path(source)
    elif "," in source:
        yield from _expand([piece.strip() for piece in source.split(",") if piece.strip()])
    elif source.startswith("@"):
        yield from _expand(_lines(source[1:]))
    elif glob.has_magic(source):
        matches = sorted(glob.glob(expand(source)))
        if not matches:
            raise FileNotReadable(f"{source}: no file matches; check the pattern and the folder")
        yield from map(Path, matches)
    else:
        yield Path(expand(source))


def _lines(name: str) -> list[str]:
    try:
        text = Path(expand(name)).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise FileNotReadable(f"@{name}: the list cannot be read: {error.strerror}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


EXPOSURE_SUFFIXES = ("_flt", "_flc", "_blv_tmp", "_blc_tmp")
TASK_SUFFIXES = {
    "acsccd": ("_raw",),
    "acscte": ("_blv_tmp",),
    "acscteforwardmodel": ("_blv_tmp", "_blc_tmp", "_flc", "_flt"),
    "acs2d": ("_blv_tmp", "_blc_tmp", "_raw"),
    "acsrej": EXPOSURE_SUFFIXES,
    "acssum": EXPOSURE_SUFFIXES,
}
"""Suffixes of files that an association table given to a task stands for; the first that exists is taken."""


def expand_exposures(source: Any, task: str = "acsrej") -> list[Path]:
    """Turn the input of a task into file names of exposures.

    Parameters
    ----------
    source : str, path-like or iterable of them
        As of `expand_input`; an association table (``x_asn.fits``) stands for its exposures that are present.  Their
        files lie beside the table or in the current folder.
    task : str
        The task, which decides which file of an exposure is meant (`TASK_SUFFIXES`).  Those that combine exposures take
        tables of one position only.

    Raises
    ------
    FileNotReadable
        There is no file of a member.
    AssociationError
        The table contradicts itself, or its exposures belong to several products.
    """
    paths = []
    for path in expand_input(source):
        paths += _members(path, task) if without_gz(path).stem.endswith(("_asn", "_asc")) else [path]
    return paths


def _members(path: Path, task: str) -> list[Path]:
    table = association.read(path)
    if task in ("acsrej", "acssum") and len(table.positions) > 1:
        raise AssociationError(
            f"{path}: the exposures belong to {len(table.positions)} positions of a dither pattern; give those of one position"
        )
    found = []
    for member in (member for position in table.positions for member in position.members):
        existing = association.find_exposure(path.parent, member, TASK_SUFFIXES[task])
        if existing is None:
            wanted = ", ".join(str(path.with_name(f"{member.name}{suffix}.fits")) for suffix in TASK_SUFFIXES[task])
            raise FileNotReadable(f"{path}: the member {member.name} has no file; one of {wanted} is needed")
        found.append(existing)
    return found


@dataclass(slots=True)
class FileDoor:
    """Options that ACSTOOLS' functions share.

    Attributes
    ----------
    task : str
        Name of the task.
    exec_path : str
        Accepted and ignored: no executable is run.
    time_stamps, verbose, quiet : bool
        Time of each message, more messages, none on standard output.
    exe_args : sequence of str
        Options of the official program (`calacs.options.parse_exe_args`).
    single_core : bool
        Whether one thread is used, whatever else is said.
    clobber : bool
        Whether existing products are replaced.
    n_threads : int
        Threads to use; 0 stands for all processors.
    options : Options
        The options that `exe_args` asks for.
    """

    task: str
    exec_path: str | None = ""
    time_stamps: bool = False
    verbose: bool = False
    quiet: bool = False
    exe_args: Sequence[str] | None = None
    single_core: bool = False
    clobber: bool = False
    n_threads: int = 0
    options: Options = field(init=False)

    def __post_init__(self) -> None:
        self.options = options = parse_exe_args(self.task, self.exe_args)
        self.time_stamps |= options.time_stamps
        self.verbose |= options.verbose or options.debug
        self.quiet |= options.quiet
        if self.single_core or options.single_core:
            self.n_threads = 1
        self.n_threads = resolve_threads(self.n_threads or options.n_threads or 0)

    def warn(self, text: str) -> None:
        """Warn the user."""
        log.log.warning("%s", text)
        warnings.warn(text, CalacsWarning, stacklevel=3)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[str], None]]:
        """Show texts on the progress in one line on a terminal, unless told to be quiet; as messages if all are wanted."""
        with ProgressLine() as line:
            line.label = label

            def wipe(_: logging.LogRecord) -> bool:
                line.clear()
                return True

            def tell(text: str) -> None:
                log.log.debug("%s", text)
                if not self.quiet and not self.verbose:
                    line(text)

            log.log.addFilter(wipe)
            try:
                yield tell
            finally:
                log.log.removeFilter(wipe)

    def map(self, source: Any, calibrate: Callable[[Path, FileDoor], Path | None]) -> list[Path]:
        """Calibrate every input file; return the products."""
        products = (calibrate(path, self) for path in expand_exposures(source, self.task))
        return [product for product in products if product is not None]

    @staticmethod
    def require(path: Path) -> None:
        """Refuse a file that does not exist, before there is a trailer.

        Raises
        ------
        FileNotReadable
            There is no such file.
        """
        if not path.exists():
            raise FileNotReadable(f"{path}: no such file; check the name and the folder")

    def trailer(self, path: Path | None, *, revise: bool = False) -> AbstractContextManager[log.TrailerHandler]:
        """Show the messages of a block and keep them in a trailer file."""
        return log.trailer(path, quiet=self.quiet, verbose=self.verbose, time_stamps=self.time_stamps, revise=revise)
