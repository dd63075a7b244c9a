"""FITS files as the simulator writes them.

Headers are lists of 80-character cards, so that raw exposures look as the archive's do: padded
strings, fixed columns, blank and section cards, data-less ERR and DQ extensions.  Nothing is
read here, and no FITS library is needed.

References
----------
FITS standard 4.0, sections 4 and 7; Pence et al. 2010, A&A 524, A42.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Column",
    "Hdu",
    "card",
    "constant_hdu",
    "image_hdu",
    "primary_hdu",
    "section",
    "table_hdu",
    "to_bytes",
    "to_hdulist",
    "write",
]

BLOCK = 2880


def card(keyword: str, value: object = None, comment: str = "", style: str = "") -> str:
    """Format one header card.

    Parameters
    ----------
    keyword : str
        Keyword, at most 8 characters.
    value : bool, int, float, str or None
        None makes a commentary card whose text is `comment`.
    comment : str
        Comment; cut at column 80.
    style : str
        A C-like format for numbers (``".6f"``, ``".12E"``), or a field width for strings.

    Returns
    -------
    str
        80 characters.
    """
    if value is None:
        return f"{keyword:<8}{comment}"[:80].ljust(80)
    if isinstance(value, (bool, np.bool_)):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, (int, np.integer)):
        text = f"{int(value):>20d}"
    elif isinstance(value, (float, np.floating)):
        text = f"{format(float(value), style) if style else _shortest(float(value)):>20}"
    else:
        width = int(style) if style else 8
        quoted = str(value).replace("'", "''")
        if len(quoted) > 68:
            raise ValueError(f"{keyword}: a string of {len(quoted)} characters does not fit into one card")
        text = f"'{quoted:<{width}}'".ljust(20)
    line = f"{keyword:<8}= {text}"
    if comment:
        line += f" / {comment}"
    return line[:80].ljust(80)


def _shortest(value: float) -> str:
    text = repr(value).upper()
    return text if "." in text or "E" in text or "N" in text else text + ".0"


def section(title: str = "") -> list[str]:
    """Return a blank card, a section title card and a blank card, or one blank card without title."""
    if not title:
        return [" " * 80]
    return [" " * 80, f"{'':14}/ {title}".ljust(80), " " * 80]


@dataclass(frozen=True)
class Column:
    """One column of a binary table.

    Attributes
    ----------
    name : str
    form : str
        ``"L"``, ``"I"``, ``"J"``, ``"E"``, ``"D"``, ``"nA"``, ``"nD"``, ``"nE"``, or ``"PD"`` for
        arrays of variable length.
    data : sequence
        One entry a row.
    unit, display : str
        TUNITn and TDISPn, if any.
    """

    name: str
    form: str
    data: Sequence[Any] | NDArray[Any]
    unit: str = ""
    display: str = ""


@dataclass
class Hdu:
    """One header and its data, ready to be written.

    Attributes
    ----------
    cards : list of str
        Complete header without END.
    data : list of arrays
        Big-endian arrays, written one after the other and padded to a whole block.
    """

    cards: list[str]
    data: list[NDArray[Any]] = field(default_factory=list)


def _dressed(cards: Iterable[str], name: str, version: int) -> list[str]:
    return [card("EXTNAME", name, "extension name"), card("EXTVER", version, "extension version number"), *cards]


def primary_hdu(cards: Iterable[str]) -> Hdu:
    """Return a primary HDU without data."""
    return Hdu(
        [
            card("SIMPLE", True, "data conform to FITS standard"),
            card("BITPIX", 16, "bits per data value"),
            card("NAXIS", 0, "number of data axes"),
            card("EXTEND", True, "File may contain standard extensions"),
            *cards,
        ]
    )


def _image_cards(bitpix: int, shape: Sequence[int]) -> list[str]:
    names = ("first", "second")
    return [
        card("XTENSION", "IMAGE", "extension type"),
        card("BITPIX", bitpix, "bits per data value"),
        card("NAXIS", len(shape), "number of data axes"),
        *(
            card(f"NAXIS{axis + 1}", size, f"length of {names[axis]} data axis")
            for axis, size in enumerate(reversed(shape))
        ),
        card("PCOUNT", 0, "number of group parameters"),
        card("GCOUNT", 1, "number of groups"),
    ]


def image_hdu(
    data: NDArray[Any], cards: Iterable[str] = (), name: str | None = None, version: int = 1, *, unsigned: bool = False
) -> Hdu:
    """Return an image extension.

    Parameters
    ----------
    data : ndarray
        float32, int16 or, stored with BZERO 32768, uint16.
    cards : iterable of str
        User cards.  EXTNAME and EXTVER come first unless `name` is None.
    unsigned : bool
        The user cards hold BSCALE and BZERO already (raw exposures).
    """
    extra = list(cards) if name is None else _dressed(cards, name, version)
    if data.dtype == np.uint16:
        stored = (data ^ np.uint16(0x8000)).astype(">u2").view(">i2")
        if not unsigned:
            extra = [card("BSCALE", 1.0), card("BZERO", 32768.0), *extra]
        bitpix = 16
    elif data.dtype == np.int16:
        stored, bitpix = data.astype(">i2"), 16
    elif data.dtype == np.float32:
        stored, bitpix = data.astype(">f4"), -32
    else:
        raise TypeError(f"images are float32, int16 or uint16, not {data.dtype}")
    return Hdu([*_image_cards(bitpix, data.shape), *extra], [np.ascontiguousarray(stored)])


def constant_hdu(
    value: float | int, shape: tuple[int, int], cards: Iterable[str] = (), name: str | None = None, version: int = 1
) -> Hdu:
    """Return an extension of one value, stored without data: NAXIS 0, NPIX1, NPIX2, PIXVALUE.

    The three keywords are taken from `cards` if they are there already.
    """
    extra = list(cards) if name is None else _dressed(cards, name, version)
    if not any(line.startswith("PIXVALUE") for line in extra):
        extra += [
            card("NPIX1", shape[1], "length of constant array axis 1"),
            card("NPIX2", shape[0], "length of constant array axis 2"),
            card("PIXVALUE", value, "values of pixels in constant array"),
        ]
    return Hdu([*_image_cards(-32 if isinstance(value, float) else 16, ()), *extra])


_TYPES = {"L": "S1", "I": ">i2", "J": ">i4", "E": ">f4", "D": ">f8"}


def _strings(values: Iterable[Any], width: int) -> NDArray[Any]:
    return np.array([str(value).encode("ascii").ljust(width) for value in values], dtype=f"S{width}")


def table_hdu(columns: Sequence[Column], cards: Iterable[str] = (), name: str = "", version: int = 1) -> Hdu:
    """Return a binary table extension; the heap holds the columns of form ``"PD"``."""
    n_row = len(columns[0].data)
    dtype: list[Any] = []
    forms: list[str] = []
    ready: list[NDArray[Any]] = []
    heap: list[NDArray[Any]] = []
    n_heap = 0
    for column in columns:
        if len(column.data) != n_row:
            raise ValueError(f"column {column.name} has {len(column.data)} rows, {columns[0].name} has {n_row}")
        count, code = column.form[:-1], column.form[-1]
        if column.form == "PD":
            arrays = [np.asarray(value, dtype=">f8").ravel() for value in column.data]
            descriptor = np.empty((n_row, 2), dtype=">i4")
            for row, array in enumerate(arrays):
                descriptor[row] = array.size, n_heap
                n_heap += array.nbytes
            heap += arrays
            dtype.append((column.name, ">i4", (2,)))
            ready.append(descriptor)
            forms.append(f"PD({max((array.size for array in arrays), default=0)})")
            continue
        forms.append(column.form)
        if code == "A":
            width = int(count or 1)
            dtype.append((column.name, f"S{width}"))
            ready.append(_strings(column.data, width))
        elif code == "L":
            dtype.append((column.name, "S1"))
            ready.append(np.where(np.asarray(column.data, dtype=bool), b"T", b"F"))
        else:
            shape = (int(count),) if count else ()
            dtype.append((column.name, _TYPES[code], shape))
            ready.append(np.asarray(column.data).reshape((n_row, *shape)))
    rows = np.zeros(n_row, dtype=dtype)
    for column, values in zip(columns, ready, strict=True):
        rows[column.name] = values
    header = [
        card("XTENSION", "BINTABLE", "extension type"),
        card("BITPIX", 8, "bits per data value"),
        card("NAXIS", 2, "number of data axes"),
        card("NAXIS1", rows.dtype.itemsize, "length of first data axis"),
        card("NAXIS2", n_row, "length of second data axis"),
        card("PCOUNT", n_heap, "number of group parameters"),
        card("GCOUNT", 1, "number of groups"),
        card("TFIELDS", len(columns), "number of fields in each table row"),
    ]
    for number, (column, form) in enumerate(zip(columns, forms, strict=True), 1):
        header += [card(f"TTYPE{number}", column.name), card(f"TFORM{number}", form)]
        if column.unit:
            header.append(card(f"TUNIT{number}", column.unit))
        if column.display:
            header.append(card(f"TDISP{number}", column.display))
    extra = _dressed(cards, name, version) if name else list(cards)
    return Hdu([*header, *extra], [rows.view(np.uint8), *heap])


def _emit(stream: IO[bytes], hdus: Iterable[Hdu]) -> None:
    for hdu in hdus:
        text = "".join([*hdu.cards, "END".ljust(80)])
        stream.write(text.encode("ascii").ljust(-(-len(text) // BLOCK) * BLOCK))
        size = 0
        for array in hdu.data:
            stream.write(array.reshape(-1).view(np.uint8).data)
            size += array.nbytes
        stream.write(b"\0" * (-size % BLOCK))


def to_bytes(hdus: Iterable[Hdu]) -> bytes:
    """Return the file as bytes."""
    stream = io.BytesIO()
    _emit(stream, hdus)
    return stream.getvalue()


def write(path: str | os.PathLike[str], hdus: Iterable[Hdu], *, overwrite: bool = False) -> Path:
    """Write a file under a temporary name beside `path`, then rename it.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; pass overwrite=True to replace it")
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with open(scratch, "xb") as stream:
            _emit(stream, hdus)
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def to_hdulist(hdus: Iterable[Hdu]) -> Any:
    """Return the file as an `astropy.io.fits.HDUList`, which needs astropy."""
    from astropy.io import fits

    return fits.open(io.BytesIO(to_bytes(hdus)))
