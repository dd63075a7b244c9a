"""Data model: an exposure is a primary header and one image set (SCI, ERR, DQ) per chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calacs.header import Header

if TYPE_CHECKING:
    from calacs.step import StepRecord

PLANES = ("SCI", "ERR", "DQ")


@dataclass(slots=True, eq=False)
class ImSet:
    """One image set: the three planes of one chip.

    Attributes
    ----------
    extver : int
        EXTVER of the three extensions.
    sci, err : ndarray of float32, shape (n_row, n_col)
        Science data and its 1-sigma uncertainty, in the same unit; C order, native bytes; row 0 is FITS line 1.
    dq : ndarray of int16, shape (n_row, n_col)
        Data-quality bits.
    header : dict of str to Header
        Headers of the extensions, by plane name.
    corner : tuple of float and int, or None
        ERR and DQ of pixel (0, 0) before trimming; decides whether a plane is stored as a constant.
    """

    extver: int
    sci: NDArray[np.float32]
    err: NDArray[np.float32]
    dq: NDArray[np.int16]
    header: dict[str, Header]
    corner: tuple[float, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.sci.shape[0], self.sci.shape[1]

    @property
    def chip(self) -> int:
        """Chip number: the CCDCHIP keyword, 1 where it is absent."""
        return self.header["SCI"].get_int("CCDCHIP", 1)

    def plane(self, name: str) -> NDArray[Any]:
        """Array of the plane "SCI", "ERR" or "DQ"."""
        array: NDArray[Any] = getattr(self, name.lower())
        return array

    def copy(self) -> ImSet:
        """Return an independent copy."""
        headers = {name: header.copy() for name, header in self.header.items()}
        return ImSet(self.extver, self.sci.copy(), self.err.copy(), self.dq.copy(), headers, self.corner)

    def __repr__(self) -> str:
        n_row, n_col = self.shape
        return f"<ImSet {self.extver}: chip {self.chip}, {n_row} rows x {n_col} columns>"

    def _repr_html_(self) -> str:
        from calacs.html import imset_table

        return imset_table((self,))


def blank_imset(imset: ImSet, shape: tuple[int, int]) -> ImSet:
    """Return an image set with the same headers whose planes, of any shape, cost no memory: all pixels are one 0."""
    sci, err = (np.broadcast_to(np.float32(0.0), shape) for _ in range(2))
    headers = {name: header.copy() for name, header in imset.header.items()}
    return ImSet(imset.extver, sci, err, np.broadcast_to(np.int16(0), shape), headers)


@dataclass(slots=True, eq=False)
class Exposure:
    """An exposure in memory.

    Attributes
    ----------
    primary : Header
        Cards of the primary header.
    imsets : tuple of ImSet
        One per chip, in file order; WFC full frames hold chip 2 first.
    path : Path or None
        File the exposure was read from; product names derive from it.
    records : list of StepRecord
        What each calibration step did, in order.
    """

    primary: Header
    imsets: tuple[ImSet, ...]
    path: Path | None = None
    records: list[StepRecord] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name for messages: the file name, or the exposure's rootname."""
        return self.path.name if self.path is not None else str(self.primary.get("ROOTNAME", "exposure in memory"))

    def __iter__(self) -> Iterator[ImSet]:
        return iter(self.imsets)

    def copy(self) -> Exposure:
        """Return an independent copy, pixels included."""
        return Exposure(
            self.primary.copy(), tuple(imset.copy() for imset in self.imsets), self.path, list(self.records)
        )

    def copy_headers(self) -> Exposure:
        """Return a copy with the same headers and shapes whose pixels are all one 0, read-only."""
        return Exposure(self.primary.copy(), tuple(blank_imset(imset, imset.shape) for imset in self.imsets), self.path)

    def write(self, path: str | Path, *, clobber: bool = False) -> Path:
        """Write a FITS file, complete or not at all.

        Parameters
        ----------
        path : path-like
            Target file.
        clobber : bool
            Replace an existing file.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputExists, WriteFailed
            As of `calacs.fits.write_exposure`.
        """
        from calacs import fits

        return fits.write_exposure(self, path, clobber=clobber)

    def to_hdulist(self) -> Any:
        """Return an `astropy.io.fits.HDUList` of the same content, as written to a file."""
        from calacs import fits

        return fits.to_hdulist(self)

    def __repr__(self) -> str:
        what = " ".join(str(self.primary.get(key, "?")) for key in ("DETECTOR", "FILTER1", "FILTER2"))
        sizes = ", ".join(f"{imset.shape[0]} x {imset.shape[1]}" for imset in self.imsets)
        return f"<Exposure {self.name}: {what}; {sizes}; {len(self.records)} steps done>"

    def _repr_html_(self) -> str:
        from calacs.html import exposure_page

        return exposure_page(self)
