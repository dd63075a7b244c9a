"""Reading images: planes of a file, expanded where they are stored as one value, and whole exposures.

Notes
-----
Conventions: HSTCAL ``hstio/hstio.c``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs.errors import (
    FileNotReadable,
)
from calacs.exposure import PLANES, Exposure, ImSet
from calacs.fits.units import DTYPES, Bytes, damage_at, open_bytes, stored, units_of
from calacs.header import CARD, Header, Value
from calacs.parallel import run_parallel

BLOCK_ROWS = 64
"""Rows that are read, converted or written at a time: what stays in a processor's cache."""
STORED_BYTES = 8 * 2**20
"""Unpacked planes that take more than this wait in temporary files."""


class _StoredPixels:
    """Big-endian pixels in a file, read by rows."""

    def __init__(self, source: Bytes, dtype: np.dtype[Any], shape: tuple[int, int], start: int) -> None:
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

    def store(self) -> None:
        """Move pixels that take much memory into a temporary file."""
        pixels = self._pixels
        if isinstance(pixels, np.ndarray) and pixels.nbytes > STORED_BYTES:
            source = stored(np.ascontiguousarray(pixels).data)
            self._pixels = _StoredPixels(source, pixels.dtype, self.shape, 0)

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
    source = open_bytes(path)
    primary: Header | None = None
    planes: dict[tuple[str, int], Plane] = {}
    for unit in units_of(source, path):
        with damage_at(path, unit.position):
            if primary is None:
                primary = Header(unit.cards, where=path.name)
            elif unit.facts.get("ZIMAGE") is True:
                return _open_compressed(path)
            else:
                _add_plane(planes, unit.cards, unit.facts, source, unit.start, path)
    assert primary is not None
    return ImageFile(primary, planes, path, str(path))


def _add_plane(
    planes: dict[tuple[str, int], Plane],
    cards: list[str],
    facts: dict[str, Value],
    source: Bytes,
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
        pixels = _StoredPixels(source, np.dtype(DTYPES[int(facts["BITPIX"])]), shape, start)
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
            for plane in image.planes.values():
                plane.store()
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise FileNotReadable(f"{path}: cannot be read as FITS: {error}; get the file again") from error
    image.path, image.source = path, str(path)
    return image


def from_hdulist(hdus: Any, source: str = "HDUList in memory") -> ImageFile:
    """View an `astropy.io.fits.HDUList` as an image file; pixels are copied when read."""
    if not hdus:
        raise FileNotReadable(f"{source}: the HDUList is empty")
    planes: dict[tuple[str, int], Plane] = {}
    for hdu in hdus[1:]:
        if not getattr(hdu, "is_image", False):
            continue
        name, extver = hdu.name.upper(), int(hdu.ver)
        header = Header(cards_of(hdu), where=f"{source}[{name},{extver}]")
        if hdu.data is None:
            plane = _constant_plane(name, header)
            if plane is None:
                continue
        else:
            pixels = np.atleast_2d(hdu.data)
            plane = Plane(name, header, (pixels.shape[-2], pixels.shape[-1]), None, pixels)
        planes.setdefault((name, extver), plane)
    return ImageFile(Header(cards_of(hdus[0]), where=source), planes, None, source)


def cards_of(hdu: Any) -> Iterator[str]:
    """80-character cards of an astropy unit; long strings take several."""
    for card in hdu.header.cards:
        image = str(card.image)
        for i in range(0, max(len(image), 1), CARD):
            yield image[i : i + CARD]


def read_exposure(path: str | os.PathLike[str], *, every_sci: bool = False, n_threads: int = 1) -> Exposure:
    """Read an exposure, every image set of it, into memory.

    Parameters
    ----------
    path : path-like
        The file.
    every_sci : bool
        Count the image sets by the SCI extensions of the file instead of by NEXTEND, which products with further
        extensions set larger.
    n_threads : int
        Threads to use, each for one image set.

    Raises
    ------
    FileNotReadable
        The file is missing, truncated, not FITS, or lacks an extension that NEXTEND announces.
    """
    return _to_exposure(open_image(path), every_sci, n_threads)


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


def _to_exposure(image: ImageFile, every_sci: bool = False, n_threads: int = 1) -> Exposure:
    n_imset = sum(name == "SCI" for name, _ in image.planes) if every_sci else image.n_imset
    imsets = run_parallel([partial(image.imset, extver) for extver in range(1, n_imset + 1)], n_threads)
    return Exposure(image.primary.copy(), tuple(imsets), image.path)


def as_exposure(source: Any, *, every_sci: bool = False, n_threads: int = 1) -> Exposure:
    """Turn an `Exposure`, a path or an `astropy.io.fits.HDUList` into an exposure that the caller owns.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        What a task takes as an exposure.
    every_sci, n_threads
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
        return read_exposure(source, every_sci=every_sci, n_threads=n_threads)
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
