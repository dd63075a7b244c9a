"""The file door: what ACSTOOLS' functions accept, and how a task is run over files."""

from __future__ import annotations

import glob
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calacs.errors import CalacsWarning, FileNotReadable
from calacs.names import expand
from calacs.parallel import available_cpus

log = logging.getLogger("calacs")


def expand_input(source: Any) -> list[Path]:
    """Turn a task's input into file names.

    Parameters
    ----------
    source : str, path-like or iterable of them
        File name, comma-separated text, wildcards, ``@file`` with one name per line.  Variables (``name$file``) are
        expanded.  A name without match stays, so that it can be reported.
    """
    return list(_expand(source))


def _expand(source: Any) -> Iterator[Path]:
    if isinstance(source, os.PathLike):
        yield Path(source)
    elif not isinstance(source, str):
        for item in source:
            yield from _expand(item)
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
        text = Path(expand(name)).read_text()
    except OSError as error:
        raise FileNotReadable(f"@{name}: the list cannot be read: {error.strerror}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


@dataclass(slots=True)
class FileDoor:
    """Options that ACSTOOLS' functions share.

    Attributes
    ----------
    task : str
        Name of the task.
    clobber : bool
        Whether existing products are replaced.
    n_threads : int
        Threads to use.
    """

    task: str
    exec_path: str | None = ""
    time_stamps: bool = False
    verbose: bool = False
    quiet: bool = False
    exe_args: list[str] | None = None
    clobber: bool = False
    n_threads: int = 0

    def __post_init__(self) -> None:
        self.n_threads = self.n_threads or available_cpus()

    def warn(self, text: str) -> None:
        """Warn the user."""
        warnings.warn(text, CalacsWarning, stacklevel=3)

    def map(
        self, source: Any, suffixes: Iterable[str], calibrate: Callable[[Path, FileDoor], Path | None]
    ) -> list[Path]:
        """Calibrate every input file; return the products."""
        products = []
        for path in expand_input(source):
            product = calibrate(path, self)
            if product is not None:
                products.append(product)
                self.say(f"{self.task}: {path} -> {product}")
        return products

    def say(self, text: str) -> None:
        """Print a message, unless quiet."""
        log.info(text)
        if not self.quiet:
            print(text, file=sys.stdout, flush=True)
