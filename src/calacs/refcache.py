"""Reference files that several exposures share: each is opened, and unpacked if it is compressed, once.

Pixels are read by blocks of rows when a step needs them.  With the file in the system's own cache that costs some 15 ms
for the 84 MB of a WFC image; keeping decoded pixels saves most of it for each further exposure, costs 40 ms once, and as much
memory as there are pixels.  Hence none are kept unless a limit is given.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from calacs import fits

T = TypeVar("T")

MAX_FILES = 64
"""Files that are kept open at most; a run with more reference files opens some of them again."""


@dataclass(slots=True)
class _Decoded:
    """Pixels of one plane; the lock keeps two threads from decoding the same plane."""

    plane: fits.Plane
    n_byte: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    pixels: NDArray[Any] | None = None


class ReferenceCache:
    """Opened reference files, and pixels of their images up to a limit; may be used by several threads.

    A file is known by its absolute path, size and time of change: one that was replaced is opened again, while exposures
    that use the old one keep it.

    Parameters
    ----------
    limit : int
        Bytes of decoded pixels to keep; 0 keeps none.  Those that were not used for the longest time go first, but only in
        favor of pixels that were used since: exposures that use the same files in the same order, and need more than the
        limit, would otherwise never find anything.

    Raises
    ------
    ValueError
        The limit is negative.
    """

    def __init__(self, limit: int = 0) -> None:
        if limit < 0:
            raise ValueError(f"limit = {limit} is invalid; give a number of bytes, 0 to keep no pixels")
        self.limit = limit
        self._lock = threading.RLock()
        self._files: OrderedDict[tuple[Any, ...], tuple[tuple[int, int], Any]] = OrderedDict()
        self._decoded: OrderedDict[int, _Decoded] = OrderedDict()
        self._used: dict[int, int] = {}
        self._clock = 0

    def open(self, path: Path, opener: Callable[..., T], *what: Any) -> T:
        """Return what ``opener(path, *what)`` makes of a file: from an earlier call where the file is the same still.

        What is returned is shared and must not be changed.
        """
        key = (os.path.abspath(path), opener, *what)
        with self._lock:
            status = os.stat(path)
            state = status.st_size, status.st_mtime_ns
            known = self._files.pop(key, None)
            if known is None or known[0] != state:
                if known is not None:
                    self._forget(known[1])
                known = state, opener(path, *what)
            self._files[key] = known
            while len(self._files) > MAX_FILES:
                self._forget(self._files.popitem(last=False)[1][1])
        content: T = known[1]
        return content

    def pixels(self, plane: fits.Plane) -> NDArray[Any] | None:
        """All pixels of a plane, read-only, or None where they are not kept, so that the caller reads those it needs."""
        if self.limit == 0 or plane.constant is not None:
            return None
        with self._lock:
            entry = self._admit(plane)
        if entry is None:
            return None
        with entry.lock:
            if entry.pixels is None:
                pixels = plane.read()
                pixels.flags.writeable = False
                entry.pixels = pixels
            return entry.pixels

    @property
    def n_byte(self) -> int:
        """Bytes of decoded pixels that are kept."""
        with self._lock:
            return sum(entry.n_byte for entry in self._decoded.values())

    def clear(self) -> None:
        """Let go of all files and pixels."""
        with self._lock:
            self._files.clear()
            self._decoded.clear()
            self._used.clear()

    def _admit(self, plane: fits.Plane) -> _Decoded | None:
        """Entry of a plane, made if there is room or something older goes for it."""
        key = id(plane)
        self._clock += 1
        last_used, self._used[key] = self._used.get(key, 0), self._clock
        entry = self._decoded.get(key)
        if entry is not None:
            self._decoded.move_to_end(key)
            return entry
        n_byte = plane.shape[0] * plane.shape[1] * plane.dtype().itemsize
        excess = self.n_byte + n_byte - self.limit
        leaving = []
        for other, old in self._decoded.items():
            if excess <= 0 or self._used[other] > last_used:
                break
            leaving.append(other)
            excess -= old.n_byte
        if excess > 0:
            return None
        for other in leaving:
            del self._decoded[other]
        self._decoded[key] = _Decoded(plane, n_byte)
        return self._decoded[key]

    def _forget(self, content: Any) -> None:
        """Let go of the pixels of a file."""
        for plane in content.planes.values() if isinstance(content, fits.ImageFile) else ():
            self._decoded.pop(id(plane), None)
            self._used.pop(id(plane), None)
