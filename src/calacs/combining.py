"""What the tasks that combine exposures share: lists of exposures, read by rows, and trailers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits
from calacs.errors import ChipNotFound, FileNotReadable
from calacs.exposure import PLANES, Exposure
from calacs.header import Header
from calacs.log import report_unwritten
from calacs.names import without_gz
from calacs.steps.crrej import Arrays, Rows

KEEP_BYTES = 640 * 2**20
"""Image sets of this size, of all exposures together, are kept in memory; larger ones are read anew for each pass."""


@dataclass(slots=True)
class FileRows:
    """Planes of an image set in a file, read by rows.

    Attributes
    ----------
    planes : dict of str to Plane
        SCI, ERR and DQ.
    keep : bool
        Whether to keep a plane that was read in memory.
    """

    planes: dict[str, fits.Plane]
    keep: bool = False
    _held: dict[str, tuple[int, NDArray[Any]]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.planes["SCI"].shape

    def read(self, plane: str, first: int, last: int) -> NDArray[Any]:
        """Read some rows; those that the last call for the plane returned too are not read again."""
        start, held = self._held.get(plane, (0, None))
        if self.keep:
            if held is None:
                held = self.planes[plane].read()
                self._held[plane] = 0, held
            return held[first:last]
        stop = start if held is None else start + len(held)
        if held is None or not start <= first < stop <= last:
            rows = self.planes[plane].read(slice(first, last))
        else:
            rows = np.concatenate([held[first - start :], self.planes[plane].read(slice(stop, last))])
        self._held[plane] = first, rows
        return rows


@dataclass(slots=True)
class Source:
    """One of the exposures that are combined, in memory or in a file.

    Attributes
    ----------
    name : str
        Name for messages.
    primary : Header
        Primary header; not to be changed.
    exposure : Exposure or None
        The exposure, where it is in memory.
    image : ImageFile or None
        The file.
    """

    name: str
    primary: Header
    exposure: Exposure | None = None
    image: fits.ImageFile | None = None

    @classmethod
    def of(cls, source: Any) -> Source:
        """Open an Exposure, a path or an HDUList; pixels are read on demand."""
        if isinstance(source, Exposure):
            return cls(source.name, source.primary, exposure=source)
        if isinstance(source, (str, os.PathLike)):
            image = fits.open_image(source)
            return cls(Path(source).name, image.primary, image=image)
        if isinstance(source, list) and hasattr(source, "info"):  # HDUList
            image = fits.from_hdulist(source)
            return cls(str(image.primary.get("ROOTNAME", "HDUList in memory")), image.primary, image=image)
        raise TypeError(f"an exposure must be an Exposure, a path or an HDUList, not {type(source).__name__}")

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""
        return self.exposure.path if self.exposure is not None else self.image.path if self.image else None

    @property
    def n_imset(self) -> int:
        """Number of image sets: those that NEXTEND announces and that are there."""
        if self.exposure is not None:
            return len(self.exposure.imsets)
        assert self.image is not None
        announced, n = self.primary.get_int("NEXTEND", 3) // 3, 0
        while n < announced and ("SCI", n + 1) in self.image.planes:
            n += 1
        return n

    def header(self, plane: str, extver: int) -> Header:
        """Header of an extension."""
        if self.exposure is not None:
            return self.exposure.imsets[extver - 1].header[plane]
        assert self.image is not None
        return self.image.plane(plane, extver).header

    def shape(self, extver: int) -> tuple[int, int]:
        """Number of rows and columns of an image set."""
        if self.exposure is not None:
            return self.exposure.imsets[extver - 1].shape
        assert self.image is not None
        return self.image.plane("SCI", extver).shape

    def rows(self, extver: int, *, keep: bool = False) -> Rows:
        """Pixels of an image set.

        Raises
        ------
        FileNotReadable
            A plane is missing, or the planes differ in shape.
        """
        if self.exposure is not None:
            imset = self.exposure.imsets[extver - 1]
            return Arrays(imset.sci, imset.err, imset.dq)
        assert self.image is not None
        planes = {name: self.image.plane(name, extver) for name in PLANES}
        for name, plane in planes.items():
            if plane.shape != planes["SCI"].shape:
                raise FileNotReadable(
                    f"{self.name}: [{name},{extver}] has {plane.shape} rows and columns, [SCI,{extver}] has "
                    f"{planes['SCI'].shape}; the file is damaged"
                )
        return FileRows(planes, keep)


def open_sources(sources: Any) -> list[Source]:
    """Open all exposures of a list."""
    if isinstance(sources, (str, os.PathLike, Exposure)) or hasattr(sources, "info"):
        sources = [sources]
    return [Source.of(source) for source in sources]


def find_chip(source: Source, chip: int) -> int:
    """EXTVER of the first image set of a chip.

    Raises
    ------
    ChipNotFound
        The exposure has no such chip.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/detchip.c``.
    """
    for extver in range(1, source.n_imset + 1):
        if chip_of(source, extver) == chip:
            return extver
    raise ChipNotFound(f"{source.name}: there is no image of chip {chip}; combine exposures of the same chips")


def chip_of(source: Source, extver: int) -> int:
    """Chip of an image set."""
    return source.header("SCI", extver).get_int("CCDCHIP", 1)


def fit_in_memory(sources: Sequence[Source], chosen: Sequence[int]) -> bool:
    """Whether one image set of all exposures is small enough to keep it in memory."""
    n_row, n_col = sources[0].shape(chosen[0])
    return 10 * n_row * n_col * len(sources) <= KEEP_BYTES


def join_trailers(inputs: Sequence[Path], output: Path, suffixes: tuple[Sequence[str], Sequence[str]]) -> Path:
    """Start the trailer of a product with those of its exposures.

    Parameters
    ----------
    inputs, output : Path
        Image files; their trailers lie beside them.
    suffixes : tuple of sequence of str
        Suffixes that the names of input and output trailers lose.

    Returns
    -------
    Path
        The product's trailer.
    """

    def name(path: Path, known: Sequence[str]) -> Path:
        stem = without_gz(path).stem
        suffix = next((suffix for suffix in known if stem.endswith(suffix)), "")
        # A product without a row in the association table is called by its suffix alone: so is its trailer then.
        return path.with_name(f"{stem.removesuffix(suffix) or stem.removesuffix('_tmp')}.tra")

    target = name(output, suffixes[1])
    trailers = [name(path, suffixes[0]) for path in inputs]
    append_trailers(trailers, target)
    return target


def append_trailers(trailers: Sequence[Path], target: Path) -> None:
    """Append trailers to another one; a failure to do so is only reported."""
    try:
        texts = [path.read_bytes() for path in trailers if path != target and path.is_file()]
        if texts and target.parent.is_dir():
            with open(target, "ab") as file:
                file.writelines(texts)
    except OSError as error:
        report_unwritten(target, error)
