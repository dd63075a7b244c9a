"""Reference files: the registry of all of them, and the one resolver.

A reference is named by a primary keyword of the exposure (``BIASFILE = 'jref$x_bia.fits'``) or given by the caller as a
path or an `astropy.io.fits.HDUList`.  Each is opened and checked before the first pixel of an exposure changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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

CCD = ("WFC", "HRC")
ALL = ("WFC", "HRC", "SBC")


@dataclass(frozen=True, slots=True)
class RefSpec:
    """What is known about one kind of reference file.

    Attributes
    ----------
    keyword : str
        Primary keyword that names the file.
    switches : tuple of str
        Calibration switches that need it; empty for files that every run of its task needs.
    kind : str
        "image" or "table".
    detectors : tuple of str
        Detectors it exists for.
    content : str
        What it holds, with the unit.
    columns : tuple of str
        Columns that a table must have.
    row_keys : tuple of str
        Columns that choose a table's row.
    parameters : tuple of str
        Columns (of PCTETAB: keywords) whose value a caller may replace for one run.
    dummy : str
        What a PEDIGREE of DUMMY means: "skip" the step, count as "missing", "ignore" it, or the step's "own" rule.
    optional : bool
        Whether the keyword may be blank or N/A.
    origin : str
        Where official CALACS reads it.
    """

    keyword: str
    switches: tuple[str, ...]
    kind: Literal["image", "table"]
    detectors: tuple[str, ...]
    content: str
    columns: tuple[str, ...] = ()
    row_keys: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    dummy: Literal["skip", "missing", "ignore", "own"] = "skip"
    optional: bool = False
    origin: str = ""


def _columns(names: Iterable[str], keys: str) -> dict[str, Any]:
    row_keys = tuple(keys.split())
    unused = {"SATURATE", "BINAXIS1", "BINAXIS2"}
    names = tuple(names)
    return {
        "columns": names,
        "row_keys": row_keys,
        "parameters": tuple(name for name in names if name not in row_keys and name not in unused),
    }


def _flat(keyword: str, content: str) -> RefSpec:
    return RefSpec(
        keyword, ("FLATCORR",), "image", ALL, content, dummy="own", optional=True, origin="lib/acs2d/doflat.c"
    )


REGISTRY: dict[str, RefSpec] = {
    spec.keyword: spec
    for spec in (
        RefSpec(
            "CCDTAB",
            (),
            "table",
            CCD,
            "gains, read noises, bias levels of the amplifiers",
            dummy="missing",
            origin="lib/getccdtab.c",
            **_columns(reftables.CCDTAB_COLUMNS, "CCDAMP CCDCHIP CCDGAIN CCDOFSTA CCDOFSTB CCDOFSTC CCDOFSTD"),
        ),
        RefSpec(
            "OSCNTAB",
            (),
            "table",
            CCD,
            "overscan and bias sections (pixels)",
            origin="lib/acsccd/findover.c",
            **_columns(reftables.OSCNTAB_COLUMNS, "CCDAMP CCDCHIP BINX BINY NX NY"),
        ),
        RefSpec(
            "BPIXTAB",
            ("DQICORR",),
            "table",
            ALL,
            "runs of bad pixels and their flags",
            columns=tuple(reftables.BPIXTAB_COLUMNS),
            row_keys=("CCDAMP", "CCDCHIP", "CCDGAIN"),
            optional=True,
            origin="lib/dodqi.c",
        ),
        RefSpec(
            "ATODTAB", ("ATODCORR",), "table", CCD, "A-to-D conversion (never applied)", origin="lib/acsccd/doatod.c"
        ),
        RefSpec(
            "BIASFILE", ("BIASCORR",), "image", CCD, "bias structure (DN), untrimmed", origin="lib/acsccd/dobias.c"
        ),
        RefSpec(
            "SATUFILE",
            ("BIASCORR",),
            "image",
            CCD,
            "full-well saturation level (electron), untrimmed",
            dummy="ignore",
            origin="lib/acsccd/dofwsat.c",
        ),
        RefSpec(
            "SNKCFILE", ("SINKCORR",), "image", CCD, "sink pixels (electron), untrimmed", origin="lib/acsccd/dosink.c"
        ),
        RefSpec(
            "PCTETAB",
            ("PCTECORR",),
            "table",
            ("WFC",),
            "charge-transfer model (electron)",
            parameters=("PCTETLEN", "PCTENFOR", "PCTENPAR", "FIXROCR", "PCTETRSH", "PCTENSMD", "CTEDATE0", "CTEDATE1"),
            origin="lib/acscte, ctegen2",
        ),
        RefSpec(
            "MLINTAB",
            ("GLINCORR", "LFLGCORR"),
            "table",
            ("SBC",),
            "non-linearity of the count rate (count/s)",
            origin="lib/acs2d/getlintab.c",
            **_columns(reftables.MLINTAB_COLUMNS, "DETECTOR"),
        ),
        RefSpec("DARKFILE", ("DARKCORR",), "image", ALL, "dark current (electron/s)", origin="lib/acs2d/dodark.c"),
        RefSpec(
            "DRKCFILE",
            ("DARKCORR",),
            "image",
            ("WFC",),
            "dark current after CTE correction (electron/s)",
            origin="lib/acs2d/dodark.c",
        ),
        RefSpec("FLSHFILE", ("FLSHCORR",), "image", CCD, "post-flash (electron/s)", origin="lib/acs2d/doflash.c"),
        _flat("PFLTFILE", "pixel-to-pixel flat"),
        _flat("DFLTFILE", "delta flat"),
        _flat("LFLTFILE", "low-order flat"),
        RefSpec(
            "CFLTFILE",
            ("FLATCORR",),
            "image",
            ("HRC",),
            "coronagraphic spots",
            dummy="own",
            optional=True,
            origin="lib/acs2d/dospot.c",
        ),
        RefSpec(
            "SPOTTAB",
            ("FLATCORR",),
            "table",
            ("HRC",),
            "positions of the coronagraphic spots (pixel)",
            columns=tuple(reftables.SPOTTAB_COLUMNS),
            row_keys=("DATE",),
            parameters=("SHIFTX", "SHIFTY"),
            dummy="own",
            optional=True,
            origin="lib/acs2d/getspottab.c",
        ),
        RefSpec("SHADFILE", ("SHADCORR",), "image", CCD, "shutter shading (s)", origin="lib/acs2d/doshad.c"),
        RefSpec(
            "IMPHTTAB",
            ("PHOTCORR",),
            "table",
            ALL,
            "photometric zero points by observing mode",
            row_keys=("OBSMODE",),
            origin="lib/getphttab.c",
        ),
        RefSpec(
            "CRREJTAB",
            ("CRCORR", "RPTCORR"),
            "table",
            CCD,
            "cosmic-ray rejection parameters",
            row_keys=("CRSPLIT", "MEANEXP"),
            parameters=tuple(reftables.CRREJTAB_COLUMNS),
            dummy="ignore",
            origin="lib/acsrej",
        ),
    )
}
"""Every reference file of the pipeline, by keyword."""


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
    """

    image: fits.ImageFile = field(repr=False)
    extver: int
    alignment: Alignment
    shape: tuple[int, int]

    @property
    def _cols(self) -> slice:
        return slice(self.alignment.x, self.alignment.x + self.shape[1])

    def read(self, plane: str) -> NDArray[Any]:
        """Pixels of "SCI", "ERR" or "DQ" under the science image."""
        rows = slice(self.alignment.y, self.alignment.y + self.shape[0])
        return self.image.plane(plane, self.extver).read(rows, self._cols)

    def blocks(self, *planes: str, part: slice | None = None) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Go through the image by blocks of rows.

        Parameters
        ----------
        *planes : str
            "SCI", "ERR", "DQ".
        part : slice
            Rows to go through, all by default.

        Yields
        ------
        rows : slice
            Rows of the science image.
        pixels : list of ndarray
            The planes under these rows; the arrays are used again for the next block.
        """
        sources = [self.image.plane(plane, self.extver) for plane in planes]
        buffers = [np.empty((fits.BLOCK_ROWS, self.shape[1]), source.dtype) for source in sources]
        begin, end = (0, self.shape[0]) if part is None else (part.start, part.stop)
        for first in range(begin, end, fits.BLOCK_ROWS):
            rows = slice(first, min(first + fits.BLOCK_ROWS, end))
            pixels = [buffer[: rows.stop - first] for buffer in buffers]
            for source, target in zip(sources, pixels, strict=True):
                source.read_into(target, self.alignment.y + first, self._cols)
            yield rows, pixels

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
        return Section(self.image, extver, alignment, imset.shape)

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
    """

    def __init__(
        self, header: Header, given: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self._header = header
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
            return self._attach(Reference(spec, "object in memory"), source)
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
        if spec.kind == "image":
            reference._image = (
                fits.open_image(source) if isinstance(source, Path) else fits.from_hdulist(source, spec.keyword)
            )
            primary = reference._image.primary
        else:
            reference._table = fits.read_table(source)
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
                        reference._table.replace(column, value)
                    reference.note(f"{column} = {value} given by the caller")
            primary = reference._table.primary
        self._check_detector(reference, primary)
        reference.pedigree = primary.get_str("PEDIGREE", "")
        reference.descrip = primary.get_str("DESCRIP", "")
        return reference

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
