"""FITS files as bytes: where their units begin, and the cards of their headers."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import math
import os
import shutil
import tempfile
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from calacs.errors import (
    FileNotReadable,
    HeaderProblem,
    KeywordMissing,
)
from calacs.header import CARD, Header, Value

BLOCK = 2880
HELD_BYTES = 64 * 2**20
"""Contents of compressed files that take no more than this are unpacked into memory, others into a temporary file."""
DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
"""Types of stored pixels by BITPIX."""


class Bytes:
    """Bytes of a file that are read on demand, by several threads if need be; or bytes in memory.

    Parameters
    ----------
    source : Path, bytes or file
        A temporary file without name, once it is full, vanishes together with this object.
    """

    def __init__(self, source: Path | bytes | IO[bytes]) -> None:
        self._descriptor = -1
        self._lock = threading.Lock()
        self._memory = memoryview(source) if isinstance(source, bytes) else None
        if isinstance(source, bytes):
            self.size = len(source)
            return
        self._name = str(source) if isinstance(source, Path) else "temporary file"
        if isinstance(source, Path):
            self._descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        else:
            source.flush()
            self._descriptor = os.dup(source.fileno())
        # The descriptor is closed by this object alone: the order in which both vanish does not matter then.
        self._file = io.FileIO(self._descriptor, closefd=False)
        self.size = os.fstat(self._descriptor).st_size

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, which Windows neither replaces nor removes while it is open."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def read_into(self, start: int, target: NDArray[Any]) -> None:
        """Fill a contiguous array with the bytes from `start` on."""
        view = memoryview(target.view(np.uint8).reshape(-1))  # type: ignore[arg-type]
        if self._memory is not None:
            view[:] = self._memory[start : start + len(view)]
            return
        if hasattr(os, "preadv"):
            n_read = os.preadv(self._descriptor, [view], start)
        else:
            with self._lock:
                self._file.seek(start)
                n_read = self._file.readinto(view)
        if n_read != len(view):
            raise FileNotReadable(f"{self._name}: the file became shorter while it was read")

    def read(self, start: int, size: int) -> bytes:
        """Return bytes."""
        target = np.empty(max(min(size, self.size - start), 0), np.uint8)
        self.read_into(start, target)
        return target.tobytes()


@dataclass(frozen=True, slots=True)
class Unit:
    """One header-data unit of a file: its header, and where its data are.

    Attributes
    ----------
    number : int
        0 for the primary unit.
    position, start, size : int
        First byte of the header and of the data; bytes of data.
    """

    number: int
    cards: list[str]
    facts: dict[str, Value]
    position: int
    start: int
    size: int

    @property
    def key(self) -> tuple[str, int]:
        """EXTNAME and EXTVER; empty for the primary unit."""
        name, extver = str(self.facts.get("EXTNAME", "")), int(self.facts.get("EXTVER", 1))
        return (name.strip().upper(), extver) if self.number else ("", 0)

    @property
    def end(self) -> int:
        """First byte after the unit."""
        return self.start + -(-self.size // BLOCK) * BLOCK

    @property
    def is_plain_int16(self) -> bool:
        """Whether its pixels are stored as signed 16-bit integers as they are."""
        scaling = float(self.facts.get("BSCALE", 1.0)), float(self.facts.get("BZERO", 0.0))
        return int(self.facts.get("NAXIS", 0)) > 0 and self.facts.get("BITPIX") == 16 and scaling == (1.0, 0.0)


def units_of(source: Bytes, path: Path) -> Iterator[Unit]:
    """All units of a file; special records and padding after the last one are ignored."""
    position = number = 0
    while position + BLOCK <= source.size and (not number or source.read(position, 8) == b"XTENSION"):
        cards, start = scan_header(source, position, path)
        with damage_at(path, position):
            facts = Header.facts(cards)
            size = _data_size(facts)
        if start + size > source.size:
            raise FileNotReadable(
                f"{path}: truncated: the file has {source.size} bytes, its headers announce {start + size}; get the file "
                "again"
            )
        unit = Unit(number, cards, facts, position, start, size)
        yield unit
        position = unit.end
        number += 1
    if number == 0:
        raise FileNotReadable(f"{path}: not a FITS file: it has only {source.size} bytes")


@contextlib.contextmanager
def damage_at(path: Path, position: int) -> Iterator[None]:
    """Report what goes wrong in the block as damage to the file."""
    try:
        yield
    except (LookupError, TypeError, ValueError, HeaderProblem, KeywordMissing) as error:
        raise FileNotReadable(
            f"{path}: the header at byte {position} is damaged ({error}); get the file again"
        ) from error


def open_bytes(path: Path) -> Bytes:
    """Open a file, unpacking it if it is gzip-compressed; FileNotReadable where that fails."""
    try:
        source = Bytes(path)
        if source.size == 0:
            raise FileNotReadable(f"{path}: the file is empty")
        if source.read(0, 2) == b"\x1f\x8b":
            with gzip.open(path) as packed:
                content = packed.read(HELD_BYTES + 1)
                return Bytes(content) if len(content) <= HELD_BYTES else stored(content, packed)
        return source
    except FileNotFoundError:
        raise FileNotReadable(f"{path}: no such file; check the name and the folder") from None
    except IsADirectoryError:
        raise FileNotReadable(f"{path}: this is a folder; name a file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise FileNotReadable(f"{path}: cannot be read: {error}") from error


def stored(content: Any, rest: Any = None) -> Bytes:
    """Put bytes, and those that can be read after them, into a temporary file without name.

    Raises
    ------
    FileNotReadable
        There is no room for it.
    """
    try:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            if rest is not None:
                shutil.copyfileobj(rest, file, 2**20)
            return Bytes(file)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FileNotReadable(
            f"a compressed file cannot be unpacked into {tempfile.gettempdir()} ({error.strerror}); make room there, or let "
            "the environment variable TMPDIR name another folder"
        ) from error


def scan_header(source: Bytes, position: int, path: Path) -> tuple[list[str], int]:
    """Cards up to END, and where the data start."""
    cards: list[str] = []
    while position + BLOCK <= source.size:
        text = source.read(position, BLOCK).decode("latin-1")
        position += BLOCK
        for i in range(0, BLOCK, CARD):
            card = text[i : i + CARD]
            if card.startswith("END     "):
                return cards, position
            cards.append(card)
        if not cards[0].startswith(("SIMPLE  =", "XTENSION=")):
            break
    raise FileNotReadable(f"{path}: not a FITS file, or damaged: a header without END; get the file again")


def _data_size(facts: dict[str, Value]) -> int:
    n_axis = axis_size(facts, "NAXIS")
    if n_axis == 0:
        return 0
    if facts.get("BITPIX") not in DTYPES:
        raise ValueError(f"BITPIX = {facts.get('BITPIX')!r}")
    count = math.prod(axis_size(facts, f"NAXIS{axis}") for axis in range(1, n_axis + 1))
    return abs(int(facts["BITPIX"])) // 8 * int(facts.get("GCOUNT", 1)) * (int(facts.get("PCOUNT", 0)) + count)


def axis_size(facts: dict[str, Value], keyword: str) -> int:
    """Value of NAXIS or NAXISn; ValueError where it is no size."""
    value = facts.get(keyword)
    if not isinstance(value, int) or value < 0 or (keyword == "NAXIS" and value > 999):
        raise ValueError(f"{keyword} = {value!r}")
    return value
