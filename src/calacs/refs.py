"""Reference files: the one resolver, which finds, opens and checks them.

A reference is named by a primary keyword of the exposure (``BIASFILE = 'jref$x_bia.fits'``) or given by the caller as a
path or an `astropy.io.fits.HDUList`.  Each is opened and checked before the first pixel of an exposure changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits, reftables
from calacs.detector import Alignment, Geometry, align
from calacs.errors import (
    CalacsError,
    ChipNotFound,
    ColumnNotFound,
    FileNotReadable,
    PreflightFailed,
    ReferenceMissing,
    SizeMismatch,
    TableError,
)
from calacs.exposure import PLANES, ImSet
from calacs.header import Header
from calacs.names import expand, is_blank, undefined_variable
from calacs.refcache import ReferenceCache
from calacs.registry import ALL, REGISTRY, RefSpec

PART_ROWS = 512
"""Rows of a science image that one thread processes at least."""


def split_rows(n_row: int) -> list[slice]:
    """Divide rows into portions that threads can share."""
    return [slice(first, min(first + PART_ROWS, n_row)) for first in range(0, n_row, PART_ROWS)]


@dataclass(frozen=True, slots=True)
class Section:
    """The part of a reference image that lies under a science image.

    Attributes
    ----------
    extver : int
        EXTVER of the reference's image set.
    alignment : Alignment
        Offset and relative binning.
    shape : tuple of int
        (n_row, n_col) of the science image.
    cache : ReferenceCache or None
        Where pixels may be kept for other exposures.
    """

    image: fits.ImageFile = field(repr=False)
    extver: int
    alignment: Alignment
    shape: tuple[int, int]
    cache: ReferenceCache | None = field(default=None, repr=False)

    @property
    def _cols(self) -> slice:
        return slice(self.alignment.x, self.alignment.x + self.shape[1])

    def read(self, plane: str) -> NDArray[Any]:
        """Pixels of "SCI", "ERR" or "DQ" under the science image."""
        rows = slice(self.alignment.y, self.alignment.y + self.shape[0])
        return self.image.plane(plane, self.extver).read(rows, self._cols)

    def blocks(
        self, *planes: str, part: slice | None = None, own: bool = False, upward: bool = True
    ) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Go through the image by blocks of rows.

        Parameters
        ----------
        *planes : str
            "SCI", "ERR", "DQ".
        part : slice
            Rows to go through, all by default.
        own : bool
            The caller is going to change the arrays.
        upward : bool
            Begin with the first block; otherwise with the last one.

        Yields
        ------
        rows : slice
            Rows of the science image.
        pixels : list of ndarray
            The planes under these rows, to be used at once: the arrays are filled again for the next block, or, unless they
            are the caller's `own`, they may be read-only parts of what is kept for other exposures.
        """
        sources = [self._source(plane) for plane in planes]
        buffers = [np.empty((fits.BLOCK_ROWS, self.shape[1]), source.dtype) for source in sources]
        begin, end = (0, self.shape[0]) if part is None else (part.start, part.stop)
        firsts = range(begin, end, fits.BLOCK_ROWS)
        for first in firsts if upward else reversed(firsts):
            rows = slice(first, min(first + fits.BLOCK_ROWS, end))
            yield rows, [self._fill(*pair, rows, own) for pair in zip(sources, buffers, strict=True)]

    def _source(self, name: str) -> fits.Plane | NDArray[Any]:
        """All pixels of a plane where they are kept, or else the plane, to be read from."""
        plane = self.image.plane(name, self.extver)
        pixels = None if self.cache is None else self.cache.pixels(plane)
        return plane if pixels is None else pixels

    def _fill(self, source: fits.Plane | NDArray[Any], buffer: NDArray[Any], rows: slice, own: bool) -> NDArray[Any]:
        """Pixels under some rows of the science image, in the buffer or in place."""
        first, n_row = self.alignment.y + rows.start, rows.stop - rows.start
        target = buffer[:n_row]
        if isinstance(source, fits.Plane):
            source.read_into(target, first, self._cols)
            return target
        kept = source[first : first + n_row, self._cols]
        if kept.flags.c_contiguous and not own:
            return kept
        np.copyto(target, kept)
        return target

    def parts(self) -> list[slice]:
        """Rows of the science image in portions that threads can share."""
        return split_rows(self.shape[0])


@dataclass(slots=True)
class Reference:
    """One reference file of a run, opened.

    Attributes
    ----------
    spec : RefSpec
        Its kind.
    name : str
        Text of the header keyword, unexpanded: what HISTORY cards say.
    path : Path or None
        The file; None for objects in memory and where the keyword is blank.
    pedigree, descrip : str
        Keywords of the file's primary header.
    chosen : list of str
        Rows or extensions that were chosen, for reports.
    replaced : dict of str to value
        Parameters that the caller gave instead of the file's.
    cache : ReferenceCache or None
        Where a file is shared with other exposures.
    """

    spec: RefSpec
    name: str
    path: Path | None = None
    pedigree: str = ""
    descrip: str = ""
    chosen: list[str] = field(default_factory=list)
    row_text: reftables.RowText | None = None
    _image: fits.ImageFile | None = field(default=None, repr=False)
    _table: fits.Table | None = field(default=None, repr=False)
    source: Any = field(default=None, repr=False)
    replaced: dict[str, Any] = field(default_factory=dict)
    cache: ReferenceCache | None = field(default=None, repr=False)

    @property
    def given(self) -> bool:
        """Whether there is a file or object at all."""
        return self._image is not None or self._table is not None

    @property
    def dummy(self) -> bool:
        """Whether the file only stands in for one that does not exist yet."""
        return self.pedigree.startswith("DUMMY")

    @property
    def image(self) -> fits.ImageFile:
        """The open image file."""
        if self._image is None:
            raise ReferenceMissing(f"{self.spec.keyword}: no image file is given")
        return self._image

    @property
    def table(self) -> fits.Table:
        """The table."""
        if self._table is None:
            raise ReferenceMissing(f"{self.spec.keyword}: no table is given")
        return self._table

    def extver_of_chip(self, chip: int, *, every_extension: bool = False) -> int:
        """EXTVER of the first image set of a chip.

        Parameters
        ----------
        chip : int
            CCDCHIP.
        every_extension : bool
            NEXTEND counts SCI extensions, not planes (SNKCFILE).

        Raises
        ------
        ChipNotFound
            No image set has that CCDCHIP.

        Notes
        -----
        Algorithm: HSTCAL ``pkg/acs/lib/detchip.c``.
        """
        image = self.image
        n = image.primary.get_int("NEXTEND", 1) if every_extension else image.n_imset
        for extver in range(1, n + 1):
            plane = image.planes.get(("SCI", extver))
            if plane is not None and plane.header.get_int("CCDCHIP", 1) == chip:
                self.note(f"[SCI,{extver}] (chip {chip})")
                return extver
        raise ChipNotFound(f"{self}: no extension holds chip {chip}; use the reference file of this detector")

    def locate(self, imset: ImSet, *, whole: bool = False, every_extension: bool = False) -> tuple[int, Alignment]:
        """Find the image of a science image's chip: EXTVER and alignment.

        Parameters
        ----------
        imset : ImSet
            Science image.
        whole : bool
            The reference must not be coarser than the science image, as where it is read as a whole officially.
        every_extension : bool
            As of `extver_of_chip`.

        Raises
        ------
        ChipNotFound
            The reference has no image of the chip.
        FileNotReadable
            An extension of its image set is missing.
        SizeMismatch
            The extensions of the image set differ in size, or the binnings do not fit.
        """
        extver = self.extver_of_chip(imset.chip, every_extension=every_extension)
        planes = [self.image.plane(plane, extver) for plane in (("SCI",) if every_extension else PLANES)]
        for plane in planes[1:]:
            if plane.shape != planes[0].shape:
                raise SizeMismatch(
                    f"{self}: [{plane.name},{extver}] has {plane.shape} rows and columns, [SCI,{extver}] has "
                    f"{planes[0].shape}; the file is damaged"
                )
        science = Geometry.of(imset.header["SCI"], imset.shape)
        reference = Geometry.of(planes[0].header, planes[0].shape)
        return extver, align(science, reference, name=str(self), check_rows=whole)

    def section(self, imset: ImSet, *, whole: bool = False, every_extension: bool = False) -> Section:
        """Find the image under a science image, and check that it covers it.

        Parameters
        ----------
        imset, whole, every_extension
            As of `locate`.

        Raises
        ------
        ChipNotFound, FileNotReadable
            As of `locate`.
        SizeMismatch
            The reference does not cover the science image, or the binnings do not fit.
        """
        extver, alignment = self.locate(imset, whole=whole, every_extension=every_extension)
        shape = self.image.plane("SCI", extver).shape
        n_row, n_col = imset.shape
        # PARITY: the relative binning counts in this test alone; pixels are never averaged.
        height = n_row * alignment.ratio[1] if whole else n_row
        width = n_col * alignment.ratio[0]
        if not (0 <= alignment.y <= shape[0] - height and 0 <= alignment.x <= shape[1] - width):
            raise SizeMismatch(
                f"{self}: {shape[0]} rows x {shape[1]} columns do not cover the {height} x {width} pixels of the exposure at "
                f"row {alignment.y}, column {alignment.x}; use the reference file of this format"
            )
        return Section(self.image, extver, alignment, imset.shape, self.cache)

    def tables(self, *names: str) -> list[fits.Table]:
        """Table extensions by name.

        Raises
        ------
        TableError
            One of them is missing.
        """
        if self.cache is None:
            return fits.read_tables(self.source, names)
        return self.cache.open(self.source, fits.read_tables, names)

    def note(self, text: str) -> None:
        """Remember what was chosen in the file."""
        if text not in self.chosen:
            self.chosen.append(text)

    def history(self) -> list[str]:
        """HISTORY texts that name the file, its pedigree and its description."""
        pedigree = self.pedigree
        texts = [self.descrip]
        if self.row_text is not None:
            pedigree = self.row_text.pedigree or pedigree
            texts.append(self.row_text.descrip)
        return [f"  reference {self.spec.kind} {self.name}", *(f"    {text}" for text in (pedigree, *texts) if text)]

    def __str__(self) -> str:
        if self.path is None:
            return f"{self.spec.keyword} {self.name!r}"
        return f"{self.spec.keyword} {self.path}"


class References:
    """The reference files of one run: each is looked up once.

    Parameters
    ----------
    header : Header
        Primary header whose keywords name the files.
    given : mapping of str to path-like or HDUList
        Files and objects that replace those of the header, by keyword.
    parameters : mapping of str to value
        Table columns whose values are replaced, by column name.
    cache : ReferenceCache
        Files that other exposures have opened; those opened here are added.
    """

    def __init__(
        self,
        header: Header,
        given: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        cache: ReferenceCache | None = None,
    ) -> None:
        self._header = header
        self._cache = cache or ReferenceCache()
        self._given = dict(given or {})
        self._parameters = dict(parameters or {})
        self._known: dict[str, Reference] = {}

    def __getitem__(self, keyword: str) -> Reference:
        if keyword not in self._known:
            self._known[keyword] = self._open(REGISTRY[keyword])
        return self._known[keyword]

    def __iter__(self) -> Any:
        return iter(self._known.values())

    def share(self, other: References) -> None:
        """Take over the files that another run of the same exposure has opened."""
        self._known.update(other._known)

    def _open(self, spec: RefSpec) -> Reference:
        source = self._given.get(spec.keyword, None)
        if source is None:
            source = self._header.get_str(spec.keyword, "")
        if not isinstance(source, (str, os.PathLike)):
            reference = Reference(spec, "object in memory")
            try:
                return self._attach(reference, source)
            except TableError as error:
                raise TableError(f"{reference}: {error}") from error
        name = str(source)
        if is_blank(name):
            return Reference(spec, name)
        path = Path(expand(name))
        reference = Reference(spec, name, path)
        if not path.is_file():
            variable = undefined_variable(name)
            hint = f"the environment variable {variable} is not set" if variable else "check the name and the folder"
            raise ReferenceMissing(f"{spec.keyword} {name}: {path} not found; {hint}")
        try:
            return self._attach(reference, path)
        except FileNotReadable as error:
            raise ReferenceMissing(f"{spec.keyword} {name}: {error}") from error
        except TableError as error:
            raise TableError(f"{spec.keyword} {name}: {error}") from error

    def _attach(self, reference: Reference, source: Any) -> Reference:
        spec = reference.spec
        reference.cache = self._cache if isinstance(source, Path) else None
        if spec.kind == "image":
            reference._image = self._image(source, spec.keyword)
            primary = reference._image.primary
        else:
            reference._table = self._table(source)
            reference.source = source
            missing = reference._table.missing(spec.columns)
            if missing:
                raise ColumnNotFound(
                    f"{reference}: the table lacks the columns {', '.join(missing)}; is this a {spec.keyword}?"
                )
            for column, value in self._parameters.items():
                if column in spec.parameters:
                    reference.replaced[column] = value
                    if column in spec.columns:
                        reference._table = reference.table.replace(column, value)
                    reference.note(f"{column} = {value} given by the caller")
            primary = reference._table.primary
        self._check_detector(reference, primary)
        reference.pedigree = primary.get_str("PEDIGREE", "")
        reference.descrip = primary.get_str("DESCRIP", "")
        return reference

    def _image(self, source: Any, keyword: str) -> fits.ImageFile:
        if not isinstance(source, Path):
            return fits.from_hdulist(source, keyword)
        return self._cache.open(source, fits.open_image)

    def _table(self, source: Any) -> fits.Table:
        if not isinstance(source, Path):
            return fits.read_table(source)
        return self._cache.open(source, fits.read_table)

    def _check_detector(self, reference: Reference, primary: Header) -> None:
        """Refuse a file that says it was made for another detector."""
        own, other = (str(header.get("DETECTOR", "")).strip().upper() for header in (self._header, primary))
        if own in ALL and other in ALL and own != other:
            raise ReferenceMissing(
                f"{reference}: the file is for the {other}, the exposure was taken with the {own}; name the file of this "
                "detector"
            )

    def require(self, keyword: str) -> Reference:
        """Look a reference up that must exist.

        Raises
        ------
        ReferenceMissing
            The keyword is blank, or the file cannot be opened, or is a dummy where none is allowed.
        """
        reference = self[keyword]
        if not reference.given:
            if reference.spec.optional:
                return reference
            raise ReferenceMissing(
                f"{keyword}: the header names no file ({reference.name!r}); name one in the header or pass "
                f"{keyword.lower()}=... to the call"
            )
        if reference.dummy and reference.spec.dummy == "missing":
            raise ReferenceMissing(
                f"{reference}: the file is a dummy (PEDIGREE {reference.pedigree!r}); use a real one"
            )
        return reference


@dataclass(slots=True)
class Problems:
    """Collects what is wrong, so that all of it can be reported together."""

    found: list[CalacsError] = field(default_factory=list)

    def raise_all(self, where: str) -> None:
        """Raise what was found: the one problem, or `PreflightFailed` with all of them."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise PreflightFailed(where, self.found)

    def __enter__(self) -> Problems:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, CalacsError):
            self.add(error)
            return True
        return False

    def add(self, error: CalacsError) -> None:
        """Take a problem in, unless it was found before: two steps or two exposures may need the same file."""
        if error.args not in [known.args for known in self.found]:
            self.found.append(error)
