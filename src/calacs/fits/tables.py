"""Reading binary tables: cells are decoded when they are asked for; rare kinds of columns go through astropy."""

from __future__ import annotations

import os
import re
import threading
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs.errors import (
    ColumnNotFound,
    FileNotReadable,
    TableError,
)
from calacs.fits.images import cards_of
from calacs.fits.units import Bytes, Unit, axis_size, open_bytes, units_of
from calacs.header import Header


@dataclass(slots=True)
class Table:
    """A binary table in memory.

    Attributes
    ----------
    source : str
        File name, for messages.
    primary, header : Header
        Cards of the primary header and of the table extension.
    n_row : int
        Number of rows.
    """

    source: str
    primary: Header
    header: Header
    n_row: int
    _columns: dict[str, NDArray[Any] | _StoredColumn]

    def __contains__(self, column: object) -> bool:
        return isinstance(column, str) and column.upper() in self._columns

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, upper case."""
        return tuple(self._columns)

    def __getitem__(self, column: str) -> NDArray[Any]:
        stored = self._stored(column)
        if isinstance(stored, _StoredColumn):
            stored = self._columns[column.upper()] = stored.read()
        return stored

    def _stored(self, column: str) -> NDArray[Any] | _StoredColumn:
        try:
            return self._columns[column.upper()]
        except KeyError:
            raise ColumnNotFound(f"{self.source}: the table has no column {column}; is this the right table?") from None

    def cell(self, column: str, row: int) -> Any:
        """Value or array of one cell; cheap even where the column is long or its arrays vary in length."""
        stored = self._stored(column)
        try:
            return stored.cell(row) if isinstance(stored, _StoredColumn) else stored[row]
        except ValueError as error:
            raise TableError(
                f"{self.source}: row {row + 1}, column {column}: the cell is damaged ({error}); get the file again"
            ) from error

    def replace(self, column: str, value: Any) -> Table:
        """Return a table with the same value in every row of a column; this one, which others may use, stays as it is."""
        old = self[column]
        try:
            columns = self._columns | {column.upper(): np.full_like(old, value)}
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{column.lower()} = {value!r} does not fit the column of type {old.dtype}") from error
        return Table(self.source, self.primary, self.header, self.n_row, columns)

    def missing(self, columns: Iterable[str]) -> list[str]:
        """Names among `columns` that the table lacks."""
        return [column for column in columns if column not in self]

    def is_integer(self, column: str) -> bool:
        """Whether a column holds 32- or 64-bit integers (16-bit ones are compared as floats, as officially)."""
        dtype = self[column].dtype
        return dtype.kind == "i" and dtype.itemsize >= 4

    def text(self, column: str, row: int) -> str:
        """Text cell without trailing blanks."""
        return str(self[column][row]).rstrip(" \0")


_FORM = re.compile(r" *(\d*)([LBIJKAEDPQ])([BIJKED]?)")


_CELL_DTYPES = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "A": "S"}


@dataclass(frozen=True, slots=True)
class _StoredColumn:
    """A column as it is in the file: decoded when it is asked for.

    Attributes
    ----------
    kind : str
        Letter of TFORM: "L", "A", a number type, or "P" and "Q" for arrays of varying length.
    cells : ndarray
        The cells' bytes as an array of the stored type; for arrays of varying length their numbers and places.
    heap : buffer
        Where the latter are.
    element : dtype
        Their type.
    """

    kind: str
    cells: NDArray[Any]
    heap: Any = None
    element: Any = None

    @classmethod
    def of(cls, form: str, rows: NDArray[np.uint8], offset: int, heap: Any) -> tuple[_StoredColumn, int]:
        """View a column in the rows of a table; also tell where the next one begins."""
        match = _FORM.match(form)
        if match is None:
            raise ValueError(form)
        count, kind, element = int(match[1] or 1), match[2], match[3]
        if kind in "PQ":
            dtype = np.dtype((">i4" if kind == "P" else ">i8", (2,)))
            width = dtype.itemsize * min(count, 1)
        else:
            dtype = np.dtype(f"S{max(count, 1)}") if kind == "A" else np.dtype((_CELL_DTYPES[kind], (count,)))
            width = count if kind == "A" else dtype.itemsize
        strides = (rows.strides[0],)
        cells = np.ndarray(len(rows), dtype, rows, offset, strides) if width else np.zeros(len(rows), dtype)
        if kind not in "APQ" and count == 1:
            cells = cells[:, 0]
        return cls(kind, cells, heap, np.dtype(_CELL_DTYPES[element]) if element else None), offset + width

    def read(self) -> NDArray[Any]:
        """All cells, in native byte order."""
        if self.kind in "PQ":
            arrays = np.empty(len(self.cells), object)
            for row in range(len(self.cells)):
                arrays[row] = self.cell(row)
            return arrays
        return self._native(self.cells)

    def cell(self, row: int) -> Any:
        """One cell."""
        if self.kind in "PQ":
            count, start = map(int, self.cells[row])
            return self._native(np.frombuffer(self.heap, self.element, count, start))
        return self._native(self.cells[row : row + 1])[0]

    def _native(self, cells: NDArray[Any]) -> NDArray[Any]:
        if self.kind == "A":
            # PARITY: a cell that begins with a null is undefined, and reads as this word.
            cells = np.where(cells == b"", b"INDEF", cells)
            return np.array([cell.partition(b"\0")[0].decode("latin-1").rstrip(" ") for cell in cells.tolist()])
        if self.kind == "L":
            return np.asarray(cells == ord("T"))
        return cells.astype(cells.dtype.newbyteorder("="))


def read_table(source: Any, extension: int | str = 1) -> Table:
    """Read a binary table.

    Parameters
    ----------
    source : path-like or HDUList
        Where the table is.
    extension : int or str
        Which extension: its number, or its EXTNAME.

    Raises
    ------
    FileNotReadable
        The file is missing or not FITS.
    TableError
        The extension is missing or holds no table.
    """
    return read_tables(source, [extension])[0]


def read_tables(source: Any, extensions: Iterable[int | str], columns: Sequence[str] | None = None) -> list[Table]:
    """Read several binary tables of one file, all columns or those among `columns`; see `read_table`."""
    if not isinstance(source, (str, os.PathLike)):
        return [_table_of(source, extension, "table in memory", columns) for extension in extensions]
    path = Path(source)
    content = open_bytes(path)
    units = list(units_of(content, path))
    primary = Header(units[0].cards, where=str(path))
    named: dict[int | str, Unit] = {}
    for unit in units[1:]:
        named[unit.number] = unit
        named.setdefault(str(unit.facts.get("EXTNAME", "")).strip().upper(), unit)
    tables = []
    for extension in extensions:
        found = named.get(extension)
        if found is None or found.facts.get("XTENSION") != "BINTABLE":
            raise _no_table(str(path), extension)
        tables.append(_decode_table(found, path, primary, content, columns))
    return tables


def _no_table(source: str, extension: int | str) -> TableError:
    return TableError(f"{source}: there is no binary table in extension {extension}; is this the right file?")


def _decode_table(unit: Unit, path: Path, primary: Header, content: Bytes, wanted: Sequence[str] | None) -> Table:
    facts = unit.facts
    data = memoryview(content.read(unit.start, unit.size))
    columns: dict[str, NDArray[Any] | _StoredColumn] = {}
    offset = 0
    try:
        width, n_row = axis_size(facts, "NAXIS1"), axis_size(facts, "NAXIS2")
        heap = data[int(facts.get("THEAP", width * n_row)) :]
        rows = np.frombuffer(data, np.uint8, width * n_row).reshape(n_row, width)
        if any(keyword.startswith(("TSCAL", "TZERO")) for keyword in facts):
            raise ValueError("scaled")
        for i in range(1, axis_size(facts, "TFIELDS") + 1):
            column, offset = _StoredColumn.of(str(facts[f"TFORM{i}"]), rows, offset, heap)
            name = str(facts.get(f"TTYPE{i}", f"COL{i}")).strip().upper()
            if wanted is None or name in wanted:
                columns[name] = column
    except (LookupError, TypeError, ValueError):
        return _read_with_astropy(path, unit.number, wanted)
    return Table(str(path), primary, Header(unit.cards, where=str(path)), n_row, columns)


# The filters of warnings belong to the process: two threads that set and restore them at once would leave them changed.
_warnings_lock = threading.Lock()


def _read_with_astropy(path: Path, number: int, wanted: Sequence[str] | None) -> Table:
    """Read what is rare (scaled columns, bits, complex numbers), and report what is damaged."""
    from astropy.io import fits as astropy_fits

    try:
        with _warnings_lock, warnings.catch_warnings():
            warnings.filterwarnings("ignore")
            warnings.filterwarnings("error", ".*truncated")
            with astropy_fits.open(path, memmap=False) as hdus:
                return _table_of(hdus, number, str(path), wanted)
    except (OSError, EOFError, TypeError, ValueError, zlib.error, UserWarning) as error:
        raise FileNotReadable(f"{path}: cannot be read as FITS: {error}; get the file again") from error


def _table_of(hdus: Any, extension: int | str, source: str, wanted: Sequence[str] | None = None) -> Table:
    try:
        hdu = hdus[extension]
        names = hdu.columns.names
    except (KeyError, IndexError, AttributeError):
        raise _no_table(source, extension) from None
    columns: dict[str, NDArray[Any] | _StoredColumn] = {
        name.upper(): np.asarray(hdu.data.field(name)) for name in names if wanted is None or name.upper() in wanted
    }
    headers = [Header(cards_of(unit), where=source) for unit in (hdus[0], hdu)]
    return Table(source, headers[0], headers[1], len(hdu.data), columns)
