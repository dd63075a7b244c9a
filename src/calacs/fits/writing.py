"""Writing exposures as official CALACS does, whole or not at all.

Notes
-----
Card order, texts and the rule for constant planes: HSTCAL ``hstio/hstio.c``.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calacs.errors import (
    OutputExists,
    WriteFailed,
)
from calacs.exposure import PLANES, Exposure, ImSet
from calacs.fits.images import BLOCK_ROWS, Plane
from calacs.fits.units import BLOCK, open_bytes, scan_header, units_of
from calacs.header import CARD, Header

Create: TypeAlias = Callable[[Path], AbstractContextManager[IO[bytes]]]
"""Opens a new file that gets its name when it is complete (`replacing`), or with all others of a run (`calacs.staging`)."""


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
    if "EXTNAME" in header:
        header.set("EXTNAME", name)
    else:
        header.insert_first("EXTNAME", name, "Name of the extension")
    if "EXTVER" not in header:
        header.insert_after("EXTNAME", "EXTVER", extver, "Extension version")
    elif header.get_int("EXTVER") != extver:
        header.set("EXTVER", extver)


def _all_equal(pixels: NDArray[Any], value: Any) -> bool:
    """Row blocks keep the usual answer, no, cheap."""
    return all(bool((pixels[row : row + 64] == value).all()) for row in range(0, pixels.shape[0], 64))


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
    source = open_bytes(path)
    units = list(units_of(source, path))
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
    # Through a link, it is the file itself that changes, as it is above.
    with replacing(Path(os.path.realpath(path))) as file:
        for unit in units:
            if unit.key in wanted:
                pixels = wanted[unit.key]
                file.write(_header_bytes((), _expanded(unit.cards, pixels.shape)))
                _write_pixels(pixels, file)
            else:
                file.write(source.read(unit.position, unit.end - unit.position))
        source.close()
        shutil.copymode(path, file.name)


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
    """Raise OutputExists unless the name is free or may be replaced, and WriteFailed where it is that of a folder."""
    if os.path.lexists(path) and not clobber and not may_clobber():
        raise OutputExists(
            f"{path} exists already; remove it, or allow to replace it: clobber=True, --clobber, or imclobber=yes in the "
            "environment"
        )
    if path.is_dir():
        raise WriteFailed(f"{path}: cannot be replaced: it is a folder; remove it")


@contextlib.contextmanager
def new_file(place: Path, path: Path) -> Iterator[IO[bytes]]:
    """Open the new file `place`, which is going to be called `path`; it vanishes on failure."""
    try:
        with open(place, "wb") as file:
            yield file
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(place)
        if isinstance(error, OSError):
            raise WriteFailed(f"{path}: cannot be written: {error.strerror}; nothing half-written is left") from error
        raise


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that gets this name on success and vanishes on failure.

    When the block ends, nothing may have `path` open: Windows does not replace files that are.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        open(temporary, "xb").close()
    except OSError as error:
        raise WriteFailed(
            f"{path}: cannot be created: {error.strerror}; check the folder and its permissions"
        ) from error
    with new_file(temporary, path) as file:
        yield file
        file.close()
        os.replace(temporary, path)


def write_exposure(
    exposure: Exposure, path: str | os.PathLike[str], *, clobber: bool = False, create: Create = replacing
) -> Path:
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
    create : callable
        Opens the file; by default, `replacing`.

    Raises
    ------
    OutputExists
        The file exists and `clobber` is false.
    WriteFailed
        The file cannot be written (folder not writable, disk full).
    """
    path = Path(path)
    refuse_existing(path, clobber=clobber)
    with create(path) as file:
        _write_units(exposure, file)
    return path


def write_planes(
    primary: Header, planes: Iterable[Plane], path: Path, *, clobber: bool = False, create: Create = replacing
) -> Path:
    """Write extensions of 16-bit integers under one primary header, each name numbered from 1.

    Raises
    ------
    OutputExists, WriteFailed
        As of `write_exposure`.
    """
    refuse_existing(path, clobber=clobber)
    extver: dict[str, int] = {}
    with create(path) as file:
        file.write(_header_bytes(_primary_cards(), primary))
        for plane in planes:
            extver[plane.name] = extver.get(plane.name, 0) + 1
            header = plane.header.copy()
            _settle_name(header, plane.name, extver[plane.name])
            file.write(_header_bytes(_extension_cards(16, plane.shape), header))
            _write_pixels(plane.read(), file)
    return path


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


def set_true(path: Path, column: str, rows: Iterable[int], *, keyword: str, create: Create = replacing) -> None:
    """Set cells of a table's logical column, and a primary keyword, to true; the file is replaced as a whole.

    Its permissions stay.  A link is replaced by a file, and what it led to stays as it was.

    Raises
    ------
    WriteFailed
        The file cannot be written; it is left as it was.
    """
    from astropy.io import fits as astropy_fits

    source = open_bytes(path)
    data = bytearray(source.read(0, source.size))
    with astropy_fits.open(io.BytesIO(bytes(data))) as hdus:
        table = hdus[1]
        name = next(name for name in table.columns.names if name.upper() == column)
        cell, offset = table.data.dtype.fields[name]
        width = table.data.dtype.itemsize
        start = table.fileinfo()["datLoc"]
    # A logical cell is the letter T; tables with a text or number column instead hold what reads as true.
    true = (
        b"T"
        if table.columns[name].format.endswith("L")
        else b"yes"
        if cell.kind == "S"
        else (1).to_bytes(cell.itemsize, "big")
    )
    for row in rows:
        first = start + row * width + offset
        data[first : first + cell.itemsize] = true.ljust(cell.itemsize)
    cards, end = scan_header(source, 0, path)
    source.close()
    changed = Header((), where=path.name)
    changed.replace_cards(cards)
    changed.set(keyword, True)
    content = _header_bytes((), changed) + bytes(data[end:])
    with create(path) as file:
        file.write(gzip.compress(content) if path.suffix.lower() == ".gz" else content)
        shutil.copymode(path, file.name)


def copy_renamed(source: Path, target: Path, *, clobber: bool = False, create: Create = replacing) -> Path:
    """Copy an exposure byte for byte, save for its FILENAME keyword.

    Raises
    ------
    OutputExists, WriteFailed
        As of `write_exposure`.
    """
    from calacs.names import filename_keyword

    refuse_existing(target, clobber=clobber)
    content = open_bytes(source)
    cards, end = scan_header(content, 0, source)
    header = Header((), where=source.name)
    header.replace_cards(cards)
    header.set("FILENAME", filename_keyword(target.name), "name of file")
    with create(target) as file:
        file.write(_header_bytes((), header))
        file.write(content.read(end, content.size))
    return target
