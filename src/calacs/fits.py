"""FITS files as official CALACS reads and writes them; the only importer of astropy.io.fits in the pipeline.

Image files are scanned here, card by card, because products must carry the input's cards verbatim and constant planes
(NAXIS = 0 with PIXVALUE) must be expanded and collapsed by the official rules.  Tables, compressed images and objects
in memory go through astropy.

Notes
-----
Conventions: HSTCAL ``hstio/hstio.c`` and ``hstio/keyword.c``.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
import tempfile
import threading
import time
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from calacs.errors import (
    ColumnNotFound,
    FileNotReadable,
    HeaderProblem,
    KeywordMissing,
    OutputExists,
    TableError,
    WriteFailed,
)
from calacs.exposure import PLANES, Exposure, ImSet
from calacs.header import CARD, Header, Value

BLOCK = 2880
_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
BLOCK_ROWS = 64
"""Rows that are read, converted or written at a time: what stays in a processor's cache."""


class _Bytes:
    """Bytes of a file that are read on demand, by several threads if need be; or bytes in memory."""

    def __init__(self, source: Path | bytes) -> None:
        self._descriptor = -1
        self._lock = threading.Lock()
        self._memory = memoryview(source) if isinstance(source, bytes) else None
        if isinstance(source, bytes):
            self.size = len(source)
            return
        self._name = str(source)
        self._descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        # The descriptor is closed by this object alone: the order in which both vanish does not matter then.
        self._file = io.FileIO(self._descriptor, closefd=False)
        self.size = os.fstat(self._descriptor).st_size

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read_into(self, start: int, target: NDArray[Any]) -> None:
        """Fill a contiguous array with the bytes from `start` on."""
        view = memoryview(target.view(np.uint8).reshape(-1))  # type: ignore[arg-type]
        if self._memory is not None:
            view[:] = self._memory[start : start + len(view)]
            return
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


class _StoredPixels:
    """Big-endian pixels in a file, read by rows."""

    def __init__(self, source: _Bytes, dtype: np.dtype[Any], shape: tuple[int, int], start: int) -> None:
        self._source, self.dtype, self.shape, self._start = source, dtype, shape, start

    def __getitem__(self, part: tuple[slice, slice]) -> NDArray[Any]:
        first, last, _ = part[0].indices(self.shape[0])
        target = np.empty((max(last - first, 0), self.shape[1]), self.dtype)
        if target.size:
            self._source.read_into(self._start + first * self.shape[1] * self.dtype.itemsize, target)
        return target[:, part[1]]


@dataclass(slots=True)
class Plane:
    """One image extension that can be read, whole or in part.

    Attributes
    ----------
    header : Header
        User cards.
    shape : tuple of int
        (n_row, n_col), also for constant planes.
    constant : float or None
        Pixel value of a constant plane.
    """

    name: str
    header: Header
    shape: tuple[int, int]
    constant: float | None
    _pixels: _StoredPixels | NDArray[Any] | None = None
    _scale: float = 1.0
    _zero: float = 0.0

    @property
    def dtype(self) -> type[np.float32] | type[np.int16]:
        """Type of the pixels in memory."""
        return np.int16 if self.name in ("DQ", "UDL") else np.float32

    def read(self, rows: slice = slice(None), cols: slice = slice(None)) -> NDArray[Any]:
        """Pixels as float32 (SCI, ERR) or int16 (DQ): C order, native bytes, writable, BSCALE and BZERO applied.

        Parameters
        ----------
        rows, cols : slice
            Part to read.
        """
        n_row, n_col = (len(range(*part.indices(n))) for part, n in zip((rows, cols), self.shape, strict=True))
        if self.constant == 0.0:
            return np.zeros((n_row, n_col), self.dtype)  # pages that are never written cost nothing
        target = np.empty((n_row, n_col), self.dtype)
        for first in range(0, n_row, BLOCK_ROWS):
            self.read_into(target[first : first + BLOCK_ROWS], rows.indices(self.shape[0])[0] + first, cols)
        return target

    def read_into(self, target: NDArray[Any], row: int, cols: slice = slice(None)) -> None:
        """Fill an array with the pixels from a row on."""
        if self._pixels is None:
            target[...] = self.constant
            return
        stored = self._pixels[slice(row, row + len(target)), cols]
        values: NDArray[Any] = stored
        if stored.dtype.kind == "i" and stored.dtype.itemsize == 2 and (self._scale, self._zero) == (1.0, 32768.0):
            values = stored.view(stored.dtype.str.replace("i", "u")) ^ np.uint16(0x8000)
        elif (self._scale, self._zero) != (1.0, 0.0):
            values = stored * np.float64(self._scale) + np.float64(self._zero)
        if self.dtype is np.int16 and (values.dtype.kind != "i" or values.dtype.itemsize > 2):
            self._check_range(values)
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(target, values, casting="unsafe")

    def _check_range(self, values: NDArray[Any]) -> None:
        if values.size and not (values.min() >= -32768 and values.max() <= 32767):
            raise FileNotReadable(
                f"{self.header.where}: data-quality values from {values.min()} to {values.max()} do not fit 16 signed "
                "bits; store the flags as signed 16-bit integers"
            )


@dataclass(slots=True)
class ImageFile:
    """An image file: primary header and image extensions by name and version."""

    primary: Header
    planes: dict[tuple[str, int], Plane]
    path: Path | None = None
    source: str = "file"

    def plane(self, name: str, extver: int) -> Plane:
        """Find an extension; FileNotReadable where there is none."""
        try:
            return self.planes[name, extver]
        except KeyError:
            raise FileNotReadable(
                f"{self.source}: there is no extension [{name},{extver}]; the file is incomplete or NEXTEND is too large"
            ) from None

    @property
    def n_imset(self) -> int:
        """Number of image sets that the primary header announces."""
        return self.primary.get_int("NEXTEND", 3) // 3

    def imset(self, extver: int) -> ImSet:
        """Read one image set into memory."""
        planes = [self.plane(name, extver) for name in PLANES]
        for plane in planes[1:]:
            if plane.shape != planes[0].shape:
                raise FileNotReadable(
                    f"{self.source}: [{plane.name},{extver}] has {plane.shape} rows and columns, [SCI,{extver}] has "
                    f"{planes[0].shape}; the file is damaged"
                )
        sci, err, dq = (plane.read() for plane in planes)
        return ImSet(extver, sci, err, dq, {plane.name: plane.header.copy() for plane in planes})


def open_image(path: str | os.PathLike[str]) -> ImageFile:
    """Open a FITS image file; pixels are read on demand.

    Parameters
    ----------
    path : path-like
        Plain or gzip-compressed file; tile-compressed images are accepted.

    Raises
    ------
    FileNotReadable
        The file is missing, truncated or not FITS.
    """
    path = Path(path)
    source = _open_bytes(path)
    primary: Header | None = None
    planes: dict[tuple[str, int], Plane] = {}
    for unit in _units(source, path):
        with _damage_at(path, unit.position):
            if primary is None:
                primary = Header(unit.cards, where=path.name)
            elif unit.facts.get("ZIMAGE") is True:
                return _open_compressed(path)
            else:
                _add_plane(planes, unit.cards, unit.facts, source, unit.start, path)
    assert primary is not None
    return ImageFile(primary, planes, path, str(path))


@dataclass(frozen=True, slots=True)
class _Unit:
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


def _units(source: _Bytes, path: Path) -> Iterator[_Unit]:
    """All units of a file; special records and padding after the last one are ignored."""
    position = number = 0
    while position + BLOCK <= source.size and (not number or source.read(position, 8) == b"XTENSION"):
        cards, start = _scan_header(source, position, path)
        with _damage_at(path, position):
            facts = Header.facts(cards)
            size = _data_size(facts)
        if start + size > source.size:
            raise FileNotReadable(
                f"{path}: truncated: the file has {source.size} bytes, its headers announce {start + size}; get the file "
                "again"
            )
        unit = _Unit(number, cards, facts, position, start, size)
        yield unit
        position = unit.end
        number += 1
    if number == 0:
        raise FileNotReadable(f"{path}: not a FITS file: it has only {source.size} bytes")


@contextlib.contextmanager
def _damage_at(path: Path, position: int) -> Iterator[None]:
    """Report what goes wrong in the block as damage to the file."""
    try:
        yield
    except (LookupError, TypeError, ValueError, HeaderProblem, KeywordMissing) as error:
        raise FileNotReadable(
            f"{path}: the header at byte {position} is damaged ({error}); get the file again"
        ) from error


def _open_bytes(path: Path) -> _Bytes:
    try:
        source = _Bytes(path)
        if source.size == 0:
            raise FileNotReadable(f"{path}: the file is empty")
        if source.read(0, 2) == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                return _Bytes(unpacked.read())
        return source
    except FileNotFoundError:
        raise FileNotReadable(f"{path}: no such file; check the name and the folder") from None
    except (OSError, EOFError, zlib.error) as error:
        raise FileNotReadable(f"{path}: cannot be read: {error}") from error


def _scan_header(source: _Bytes, position: int, path: Path) -> tuple[list[str], int]:
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
    n_axis = _size(facts, "NAXIS")
    if n_axis == 0:
        return 0
    if facts.get("BITPIX") not in _DTYPES:
        raise ValueError(f"BITPIX = {facts.get('BITPIX')!r}")
    count = math.prod(_size(facts, f"NAXIS{axis}") for axis in range(1, n_axis + 1))
    return abs(int(facts["BITPIX"])) // 8 * int(facts.get("GCOUNT", 1)) * (int(facts.get("PCOUNT", 0)) + count)


def _size(facts: dict[str, Value], keyword: str) -> int:
    value = facts.get(keyword)
    if not isinstance(value, int) or value < 0 or (keyword == "NAXIS" and value > 999):
        raise ValueError(f"{keyword} = {value!r}")
    return value


def _add_plane(
    planes: dict[tuple[str, int], Plane],
    cards: list[str],
    facts: dict[str, Value],
    source: _Bytes,
    start: int,
    path: Path,
) -> None:
    if str(facts.get("XTENSION", "")) != "IMAGE":
        return
    name, extver = str(facts.get("EXTNAME", "")).strip().upper(), int(facts.get("EXTVER", 1))
    header = Header(cards, where=f"{path.name}[{name},{extver}]")
    n_axis = int(facts.get("NAXIS", 0))
    if n_axis == 0:
        plane = _constant_plane(name, header)
        if plane is None:
            return
    else:
        axes = [int(facts[f"NAXIS{axis}"]) for axis in range(n_axis, 0, -1)]
        shape = (int(np.prod(axes[:-1])), axes[-1])
        pixels = _StoredPixels(source, np.dtype(_DTYPES[int(facts["BITPIX"])]), shape, start)
        scale, zero = float(facts.get("BSCALE", 1.0)), float(facts.get("BZERO", 0.0))
        plane = Plane(name, header, shape, None, pixels, scale, zero)
    planes.setdefault((name, extver), plane)


def _constant_plane(name: str, header: Header) -> Plane | None:
    """A plane stored as one value, or None where the unit holds no image at all."""
    if "PIXVALUE" not in header and "NPIX1" not in header:
        return None
    shape = (header.get_int("NPIX2", 1), header.get_int("NPIX1"))
    return Plane(name, header, shape, header.get_float("PIXVALUE"))


def _open_compressed(path: Path) -> ImageFile:
    from astropy.io import fits as astropy_fits

    try:
        with astropy_fits.open(path) as hdus:
            image = from_hdulist(hdus)
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise FileNotReadable(f"{path}: cannot be read as FITS: {error}; get the file again") from error
    image.path, image.source = path, str(path)
    return image


def from_hdulist(hdus: Any, source: str = "HDUList in memory") -> ImageFile:
    """View an `astropy.io.fits.HDUList` as an image file; pixels are copied when read."""
    planes: dict[tuple[str, int], Plane] = {}
    for hdu in hdus[1:]:
        if not getattr(hdu, "is_image", False):
            continue
        name, extver = hdu.name.upper(), int(hdu.ver)
        header = Header(_hdu_cards(hdu), where=f"{source}[{name},{extver}]")
        if hdu.data is None:
            plane = _constant_plane(name, header)
            if plane is None:
                continue
        else:
            pixels = np.atleast_2d(hdu.data)
            plane = Plane(name, header, (pixels.shape[-2], pixels.shape[-1]), None, pixels)
        planes.setdefault((name, extver), plane)
    return ImageFile(Header(_hdu_cards(hdus[0]), where=source), planes, None, source)


def _hdu_cards(hdu: Any) -> Iterator[str]:
    for card in hdu.header.cards:
        image = str(card.image)
        for i in range(0, max(len(image), 1), CARD):
            yield image[i : i + CARD]


def read_exposure(path: str | os.PathLike[str], *, every_sci: bool = False) -> Exposure:
    """Read an exposure, every image set of it, into memory.

    Parameters
    ----------
    path : path-like
        The file.
    every_sci : bool
        Count the image sets by the SCI extensions of the file instead of by NEXTEND, which products with further
        extensions set larger.

    Raises
    ------
    FileNotReadable
        The file is missing, truncated, not FITS, or lacks an extension that NEXTEND announces.
    """
    return _to_exposure(open_image(path), every_sci)


def read_headers(path: str | os.PathLike[str]) -> Exposure:
    """Read the headers of an exposure; its planes have the right shape, but all pixels are one 0 and read-only.

    Parameters
    ----------
    path : path-like
        The file.

    Raises
    ------
    FileNotReadable
        As of `read_exposure`.
    """
    image = open_image(path)
    imsets = []
    for extver in range(1, image.n_imset + 1):
        planes = [image.plane(name, extver) for name in PLANES]
        headers = {plane.name: plane.header.copy() for plane in planes}
        zero = np.broadcast_to(np.float32(0.0), planes[0].shape)
        imsets.append(ImSet(extver, zero, zero, np.broadcast_to(np.int16(0), planes[0].shape), headers))
    return Exposure(image.primary.copy(), tuple(imsets), image.path)


def _to_exposure(image: ImageFile, every_sci: bool = False) -> Exposure:
    n_imset = sum(name == "SCI" for name, _ in image.planes) if every_sci else image.n_imset
    imsets = tuple(image.imset(extver) for extver in range(1, n_imset + 1))
    return Exposure(image.primary.copy(), imsets, image.path)


def as_exposure(source: Any, *, every_sci: bool = False) -> Exposure:
    """Turn an `Exposure`, a path or an `astropy.io.fits.HDUList` into an exposure that the caller owns.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        What a task takes as an exposure.
    every_sci : bool
        As of `read_exposure`.

    Raises
    ------
    FileNotReadable
        The file cannot be read.
    TypeError
        `source` is none of these.
    """
    if isinstance(source, Exposure):
        return source.copy()
    if isinstance(source, (str, os.PathLike)):
        return read_exposure(source, every_sci=every_sci)
    if isinstance(source, list) and hasattr(source, "info"):  # HDUList
        return _to_exposure(from_hdulist(source), every_sci)
    raise TypeError(f"an exposure must be an Exposure, a path or an HDUList, not {type(source).__name__}")


def as_headers(source: Any) -> Exposure:
    """Like `as_exposure`, but without reading pixels: see `read_headers`."""
    if isinstance(source, Exposure):
        return source.copy_headers()
    if isinstance(source, (str, os.PathLike)):
        return read_headers(source)
    return as_exposure(source).copy_headers()


def settle_planes(imset: ImSet) -> frozenset[str]:
    """Bring the headers of an image set to the form in which a file holds them; name the planes stored as constants.

    An ERR or DQ plane whose pixels are all equal to the pixel (0, 0) of the untrimmed frame is stored as one value.
    """
    constants = set()
    for name in PLANES:
        header, pixels = imset.header[name], imset.plane(name)
        if name != "SCI":
            first = pixels[0, 0] if imset.corner is None else imset.corner[name == "DQ"]
            if _all_equal(pixels, first):
                constants.add(name)
                header.set(
                    "PIXVALUE",
                    np.float32(first) if name == "ERR" else int(first),
                    "values of pixels in constant array",
                )
                header.set("NPIX1", pixels.shape[1], "length of constant array axis 1")
                if pixels.shape[0] > 1:
                    header.set("NPIX2", pixels.shape[0], "length of constant array axis 2")
            else:
                for keyword in ("PIXVALUE", "NPIX1") + (("NPIX2",) if pixels.shape[0] > 1 else ()):
                    header.remove(keyword)
        _settle_name(header, name, imset.extver)
    return frozenset(constants)


def _settle_name(header: Header, name: str, extver: int) -> None:
    if "EXTVER" not in header:
        header.insert_first("EXTVER", extver, "Extension version")
    elif header.get_int("EXTVER") != extver:
        header.set("EXTVER", extver)
    if "EXTNAME" in header:
        header.set("EXTNAME", name)
    else:
        header.insert_first("EXTNAME", name, "Name of the extension")


def _all_equal(pixels: NDArray[Any], value: Any) -> bool:
    """Row blocks keep the usual answer, no, cheap."""
    return all(bool((pixels[row : row + 64] == value).all()) for row in range(0, pixels.shape[0], 64))


def write_exposure(exposure: Exposure, path: str | os.PathLike[str], *, clobber: bool = False) -> Path:
    """Write an exposure as official CALACS does.

    The file gets its name only when it is complete: it is written beside the target and renamed.

    Parameters
    ----------
    exposure : Exposure
        Its headers are brought to the stored form (EXTNAME, EXTVER, cards of constant planes).
    path : path-like
        Target file.
    clobber : bool
        Replace an existing file.  The environment variable ``imclobber=yes`` does the same.

    Raises
    ------
    OutputExists
        The file exists and `clobber` is false.
    WriteFailed
        The file cannot be written (folder not writable, disk full).
    """
    path = Path(path)
    refuse_existing(path, clobber=clobber)
    with replacing(path) as file:
        _write_units(exposure, file)
    return path


def write_planes(primary: Header, planes: Iterable[Plane], path: Path, *, clobber: bool = False) -> Path:
    """Write extensions of 16-bit integers under one primary header, each name numbered from 1.

    Raises
    ------
    OutputExists, WriteFailed
        As of `write_exposure`.
    """
    refuse_existing(path, clobber=clobber)
    extver: dict[str, int] = {}
    with replacing(path) as file:
        file.write(_header_bytes(_primary_cards(), primary))
        for plane in planes:
            extver[plane.name] = extver.get(plane.name, 0) + 1
            header = plane.header.copy()
            _settle_name(header, plane.name, extver[plane.name])
            file.write(_header_bytes(_extension_cards(16, plane.shape), header))
            _write_pixels(plane.read(), file)
    return path


def check_folder(path: Path) -> None:
    """Raise WriteFailed unless files can be made beside `path`."""
    folder = path.parent
    if not folder.is_dir():
        raise WriteFailed(f"{path}: cannot be created: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise WriteFailed(f"{path}: cannot be created: the folder {folder} is not writable; check its permissions")


def check_updatable(path: Path) -> None:
    """Raise WriteFailed unless the pixels of a file can be changed in place."""
    if not os.access(path, os.W_OK):
        raise WriteFailed(f"{path}: cannot be changed: the file is not writable; check its permissions")
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise WriteFailed(f"{path}: cannot be changed: the file is compressed; uncompress it first")


def update_dq(path: Path, planes: Mapping[int, NDArray[np.int16]]) -> None:
    """Replace DQ planes of a file, by EXTVER; all other bytes stay as they are.

    Planes stored as 16-bit integers are overwritten in place.  Where one is stored otherwise, as a constant for example, the
    file is replaced as a whole, and the plane then holds 16-bit integers.

    Raises
    ------
    WriteFailed
        The file cannot be written.
    """
    source = _open_bytes(path)
    units = list(_units(source, path))
    wanted = {("DQ", extver): pixels for extver, pixels in planes.items()}
    chosen = [(unit, wanted[unit.key]) for unit in units if unit.key in wanted]
    try:
        if all(unit.is_plain_int16 for unit, _ in chosen):
            with open(path, "r+b") as file:
                for unit, pixels in chosen:
                    file.seek(unit.start)
                    _write_rows(pixels, file)
            return
    except OSError as error:
        raise WriteFailed(f"{path}: cannot be changed: {error.strerror}; its flags may be incomplete") from error
    with replacing(path) as file:
        for unit in units:
            if unit.key in wanted:
                pixels = wanted[unit.key]
                file.write(_header_bytes((), _expanded(unit.cards, pixels.shape)))
                _write_pixels(pixels, file)
            else:
                file.write(source.read(unit.position, unit.end - unit.position))


def _expanded(cards: Iterable[str], shape: tuple[int, ...]) -> Header:
    """Header of a plane of 16-bit integers, made from that of a constant or scaled one."""
    header = Header((), where="DQ")
    header.replace_cards(cards)
    for keyword in ("PIXVALUE", "NPIX1", "NPIX2", "BSCALE", "BZERO"):
        header.remove(keyword)
    header.set("BITPIX", 16)
    header.set("NAXIS", 2)
    axes = [_structure_card(f"NAXIS{i}", str(n), f"length of data axis {i}") for i, n in enumerate(reversed(shape), 1)]
    kept = [card for card in header.cards if not card.startswith(("NAXIS1 ", "NAXIS2 "))]
    after = next(i for i, card in enumerate(kept, 1) if card.startswith("NAXIS "))
    header.replace_cards([*kept[:after], *axes, *kept[after:]])
    return header


def may_clobber() -> bool:
    """Whether the environment allows existing products to be replaced (``imclobber=yes``)."""
    return os.environ.get("imclobber") in ("yes", "YES")


def refuse_existing(path: Path, *, clobber: bool) -> None:
    """Raise OutputExists unless the file is absent or may be replaced."""
    if path.exists() and not clobber and not may_clobber():
        raise OutputExists(
            f"{path} exists already; remove it, pass clobber=True, or set the environment's imclobber=yes"
        )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that gets this name on success and vanishes on failure."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise WriteFailed(
            f"{path}: cannot be created: {error.strerror}; check the folder and its permissions"
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise WriteFailed(f"{path}: cannot be written: {error.strerror}; nothing was left under this name") from error
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def to_hdulist(exposure: Exposure) -> Any:
    """Return an `astropy.io.fits.HDUList` with the content that a file of the exposure has."""
    from astropy.io import fits as astropy_fits

    file = io.BytesIO()
    _write_units(exposure, file)
    file.seek(0)
    hdus = astropy_fits.open(file, lazy_load_hdus=False)
    for hdu in hdus:
        _ = hdu.data
    return hdus


def _write_units(exposure: Exposure, file: IO[bytes]) -> None:
    file.write(_header_bytes(_primary_cards(), exposure.primary))
    for imset in exposure.imsets:
        constants = settle_planes(imset)
        for name in PLANES:
            pixels = imset.plane(name)
            constant = name in constants
            cards = _extension_cards(16 if name == "DQ" else -32, () if constant else pixels.shape)
            file.write(_header_bytes(cards, imset.header[name]))
            if not constant:
                _write_pixels(pixels, file)


def _write_pixels(pixels: NDArray[Any], file: IO[bytes]) -> None:
    _write_rows(pixels, file)
    file.write(bytes(-pixels.nbytes % BLOCK))


def _write_rows(pixels: NDArray[Any], file: IO[bytes]) -> None:
    big_endian = pixels.dtype.newbyteorder(">")
    for row in range(0, pixels.shape[0], BLOCK_ROWS):
        file.write(np.ascontiguousarray(pixels[row : row + BLOCK_ROWS], big_endian).data)


def _structure_card(keyword: str, value: str, comment: str) -> str:
    return f"{keyword:<8}= {value:>20} / {comment}".ljust(CARD)


def _origin_cards() -> list[str]:
    date = time.strftime("%Y-%m-%d")
    return [
        "ORIGIN  = 'HSTIO/CFITSIO March 2010' / FITS file originator".ljust(CARD),
        f"DATE    = '{date}' / date this file was written (yyyy-mm-dd)".ljust(CARD),
    ]


def _primary_cards() -> list[str]:
    return [
        _structure_card("SIMPLE", "T", "file does conform to FITS standard"),
        _structure_card("BITPIX", "16", "number of bits per data pixel"),
        _structure_card("NAXIS", "0", "number of data axes"),
        _structure_card("EXTEND", "T", "FITS dataset may contain extensions"),
        "COMMENT   FITS (Flexible Image Transport System) format is defined in 'Astronomy".ljust(CARD),
        "COMMENT   and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H".ljust(CARD),
        *_origin_cards(),
    ]


def _extension_cards(bitpix: int, shape: tuple[int, ...]) -> list[str]:
    axes = list(reversed(shape))
    if len(axes) == 2 and axes[1] == 1:
        axes.pop()  # a single line is stored as a one-dimensional image
    return [
        "XTENSION= 'IMAGE   '           / IMAGE extension".ljust(CARD),
        _structure_card("BITPIX", str(bitpix), "number of bits per data pixel"),
        _structure_card("NAXIS", str(len(axes)), "number of data axes"),
        *(_structure_card(f"NAXIS{i}", str(n), f"length of data axis {i}") for i, n in enumerate(axes, 1)),
        _structure_card("PCOUNT", "0", "required keyword; must = 0"),
        _structure_card("GCOUNT", "1", "required keyword; must = 1"),
        *_origin_cards(),
    ]


def _header_bytes(structure: Iterable[str], header: Header) -> bytes:
    cards = list(header.cards)
    while cards and not cards[0].strip():
        cards.pop(0)
    text = "".join([*structure, *cards, "END".ljust(CARD)])
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("latin-1")


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

    def replace(self, column: str, value: Any) -> None:
        """Give every row the same value in a column."""
        self._columns[column.upper()] = np.full_like(self[column], value)

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
    content = _open_bytes(path)
    units = list(_units(content, path))
    primary = Header(units[0].cards, where=str(path))
    named: dict[int | str, _Unit] = {}
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


def _decode_table(unit: _Unit, path: Path, primary: Header, content: _Bytes, wanted: Sequence[str] | None) -> Table:
    facts = unit.facts
    data = memoryview(content.read(unit.start, unit.size))
    columns: dict[str, NDArray[Any] | _StoredColumn] = {}
    offset = 0
    try:
        width, n_row = _size(facts, "NAXIS1"), _size(facts, "NAXIS2")
        heap = data[int(facts.get("THEAP", width * n_row)) :]
        rows = np.frombuffer(data, np.uint8, width * n_row).reshape(n_row, width)
        if any(keyword.startswith(("TSCAL", "TZERO")) for keyword in facts):
            raise ValueError("scaled")
        for i in range(1, _size(facts, "TFIELDS") + 1):
            column, offset = _StoredColumn.of(str(facts[f"TFORM{i}"]), rows, offset, heap)
            name = str(facts.get(f"TTYPE{i}", f"COL{i}")).strip().upper()
            if wanted is None or name in wanted:
                columns[name] = column
    except (LookupError, TypeError, ValueError):
        return _read_with_astropy(path, unit.number, wanted)
    return Table(str(path), primary, Header(unit.cards, where=str(path)), n_row, columns)


def _read_with_astropy(path: Path, number: int, wanted: Sequence[str] | None) -> Table:
    """Read what is rare (scaled columns, bits, complex numbers), and report what is damaged."""
    from astropy.io import fits as astropy_fits

    try:
        with warnings.catch_warnings():
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
    headers = [Header(_hdu_cards(unit), where=source) for unit in (hdus[0], hdu)]
    return Table(source, headers[0], headers[1], len(hdu.data), columns)


def set_true(path: Path, column: str, rows: Iterable[int], *, keyword: str) -> None:
    """Set cells of a table's logical column, and a primary keyword, to true; the file is replaced as a whole.

    Raises
    ------
    WriteFailed
        The file cannot be written; it is left as it was.
    """
    from astropy.io import fits as astropy_fits

    source = _open_bytes(path)
    data = bytearray(source.read(0, source.size))
    with astropy_fits.open(io.BytesIO(bytes(data))) as hdus:
        table = hdus[1]
        name = next(name for name in table.columns.names if name.upper() == column)
        cell, offset = table.data.dtype.fields[name]
        width = table.data.dtype.itemsize
        start = table.fileinfo()["datLoc"]
    # A logical cell is the letter T; tables with a text or number column instead hold what reads as true.
    true = b"T" if cell.itemsize == 1 else b"yes" if cell.kind == "S" else (1).to_bytes(cell.itemsize, "big")
    for row in rows:
        first = start + row * width + offset
        data[first : first + cell.itemsize] = true.ljust(cell.itemsize)
    cards, end = _scan_header(source, 0, path)
    changed = Header((), where=path.name)
    changed.replace_cards(cards)
    changed.set(keyword, True)
    with replacing(path) as file:
        file.write(_header_bytes((), changed))
        file.write(data[end:])


def copy_renamed(source: Path, target: Path, *, clobber: bool = False) -> Path:
    """Copy an exposure byte for byte, save for its FILENAME keyword.

    Raises
    ------
    OutputExists, WriteFailed
        As of `write_exposure`.
    """
    from calacs.names import filename_keyword

    refuse_existing(target, clobber=clobber)
    content = _open_bytes(source)
    cards, end = _scan_header(content, 0, source)
    header = Header((), where=source.name)
    header.replace_cards(cards)
    header.set("FILENAME", filename_keyword(target.name), "name of file")
    with replacing(target) as file:
        file.write(_header_bytes((), header))
        file.write(content.read(end, content.size))
    return target
