"""Complete sets of reference files, in the formats of the real ones.

A set belongs to one detector and one seed.  Its images are computed when they are first needed:
the simulator applies them to an exposure, and `ReferenceSet.write` puts them into a folder where
the pipeline finds them.

References
----------
Formats: CALACS behavior (columns, units, geometry) and genuine STScI tables.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import geometry, photometry, reference_images, reference_tables, traps
from .constants import CONSTANTS
from .files import Hdu, card, constant_hdu, image_hdu, write
from .reference_images import Plane
from .reference_kinds import KEYWORDS, KINDS, Content, primary, stream

__all__ = ["ReferenceSet", "write_references"]


class ReferenceSet:
    """The reference files of one detector.

    Parameters
    ----------
    detector : {"WFC", "HRC", "SBC"}
    seed : int
        Everything in the files follows from it.
    prefix : str
        Beginning of the file names; ``sim<detector>`` by default.
    cte_generation : {3, 2}
        Format of the PCTETAB.

    Examples
    --------
    >>> refs = ReferenceSet("HRC", seed=4)
    >>> refs.names["CCDTAB"]
    'simhrc_ccd.fits'
    """

    def __init__(self, detector: str, *, seed: int = 0, prefix: str = "", cte_generation: int = 3) -> None:
        if detector not in KEYWORDS:
            raise ValueError(f"detector {detector!r} is not one of WFC, HRC, SBC")
        if cte_generation not in (2, 3):
            raise ValueError(f"cte_generation {cte_generation} is not 2 or 3")
        self.detector = detector
        self.seed = seed
        self.cte_generation = cte_generation
        stem = prefix or f"sim{detector.lower()}"
        self.names: Mapping[str, str] = {key: f"{stem}_{KINDS[key].suffix}.fits" for key in KEYWORDS[detector]}
        """File name of each reference, by header keyword."""
        self.chips: tuple[int, ...] = (2, 1) if detector == "WFC" else (1,)
        self._planes: dict[tuple[str, int], Plane] = {}

    def __repr__(self) -> str:
        return f"ReferenceSet({self.detector!r}, seed={self.seed})"

    def header_values(self, folder: str = "jref$") -> dict[str, str]:
        """Return header keyword to name, each with `folder` in front (``jref$`` or a path with its slash)."""
        return {key: folder + name for key, name in self.names.items()}

    def image(self, keyword: str, chip: int = 1) -> Plane:
        """Return one chip of an image reference.

        Parameters
        ----------
        keyword : str
            BIASFILE, DARKFILE, ...
        chip : int
            CCDCHIP.

        Returns
        -------
        Plane
            Untrimmed for BIASFILE (DN), SATUFILE (electron), SNKCFILE (codes), else trimmed.
        """
        if keyword not in reference_images.MAKERS or keyword not in self.names:
            raise KeyError(f"{self.detector} has no reference image {keyword}")
        key = keyword, chip
        if key not in self._planes:
            shape = geometry.chip_shape(self.detector, trimmed=not KINDS[keyword].untrimmed)
            rng = stream(self.seed, self.detector, keyword, chip)
            self._planes[key] = reference_images.MAKERS[keyword](self.detector, chip, shape, rng)
        return self._planes[key]

    def traps(self, kind: str, amp: str) -> dict[str, NDArray[Any]]:
        """Return the usable levels of the PCTETAB for one direction.

        Parameters
        ----------
        kind : {"parallel", "serial"}
        amp : str
            Amplifier; the parallel direction has one set for all.

        Returns
        -------
        dict
            As `traps.cte_profile`, without padding levels and beyond the length of the trail.
        """
        version = 1 if kind == "parallel" else 2 + "ABCD".index(amp)
        values = traps.cte_profile(kind, self.seed, version)
        n_level = int(np.count_nonzero(values["level"] < 999999))
        n_tail = CONSTANTS["cte"][kind]["length"]
        for name in ("level", "charge"):
            values[name] = values[name][:n_level]
        for name in ("release", "remaining"):
            values[name] = values[name][:n_level, :n_tail]
        return values

    def spot_shift(self, mjd: float) -> tuple[float, float]:
        """Return the shift (x, y) of the coronagraphic spots: that of the SPOTTAB row nearest in time."""
        return reference_tables.spot_shift(mjd)

    def forget(self) -> None:
        """Drop the computed images (some 70 MB each for the WFC)."""
        self._planes.clear()

    def hdus(self, keyword: str) -> list[Hdu]:
        """Return the HDUs of one reference file."""
        if keyword not in self.names:
            raise KeyError(f"{self.detector} has no reference {keyword}; it has {', '.join(self.names)}")
        cards, extensions = (self._image_sets if keyword in reference_images.MAKERS else self._table)(keyword)
        return [primary(self.detector, keyword, self.names[keyword], cards), *extensions]

    def _table(self, keyword: str) -> Content:
        if keyword == "BPIXTAB":
            return reference_tables.bad_pixels(self.detector, stream(self.seed, self.detector, keyword, 0))
        if keyword == "IMPHTTAB":
            return photometry.photometry(self.detector)
        if keyword == "PCTETAB":
            return traps.transfer_table(self.seed, self.cte_generation)
        return reference_tables.MAKERS[keyword](self.detector)

    def _image_sets(self, keyword: str) -> Content:
        extras: dict[str, list[str]] = {
            "BIASFILE": [card("CCDAMP", "ABCD"), card("CCDGAIN", 2.0)],
            "DARKFILE": [card("EXPTIME", 1.0)],
            "DRKCFILE": [card("EXPTIME", 1.0)],
            "FLSHFILE": [card("FLASHCUR", "LOW")],
        }
        single = keyword == "SNKCFILE"
        hdus = []
        for version, chip in enumerate(self.chips, 1):
            plane = self.image(keyword, chip)
            offset = geometry.full_chip_offset(self.detector, chip) if KINDS[keyword].untrimmed else (0, 0)
            cards = [
                card("CCDCHIP", chip, "CCD chip"),
                card("LTV1", float(offset[0]), "offset in X to subsection start"),
                card("LTV2", float(offset[1]), "offset in Y to subsection start"),
                card("LTM1_1", 1.0, "reciprocal of sampling rate in X"),
                card("LTM2_2", 1.0, "reciprocal of sampling rate in Y"),
                card("BINAXIS1", 1),
                card("BINAXIS2", 1),
            ]
            shape = plane.sci.shape
            hdus.append(image_hdu(plane.sci, cards, "SCI", version))
            if single:
                continue
            for name, values in (("ERR", plane.err), ("DQ", plane.dq)):
                if isinstance(values, np.ndarray):
                    hdus.append(image_hdu(values, cards, name, version))
                else:
                    hdus.append(constant_hdu(values, (shape[0], shape[1]), cards, name, version))
        return [card("NEXTEND", len(hdus), "number of extensions"), *extras.get(keyword, [])], hdus

    def write(
        self, folder: str | os.PathLike[str], keywords: Iterable[str] | None = None, *, overwrite: bool = False
    ) -> dict[str, Path]:
        """Write the set, or some files of it.

        Parameters
        ----------
        folder : path
            Made if it does not exist.
        keywords : iterable of str, optional
            Header keywords; all by default.
        overwrite : bool
            Replace files that exist.

        Returns
        -------
        dict
            Header keyword to path.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        return {
            keyword: write(target / self.names[keyword], self.hdus(keyword), overwrite=overwrite)
            for keyword in (self.names if keywords is None else keywords)
        }


def write_references(
    folder: str | os.PathLike[str],
    detectors: Iterable[str] = ("WFC", "HRC", "SBC"),
    *,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, dict[str, Path]]:
    """Write the complete sets of several detectors into one folder.

    Returns
    -------
    dict
        Detector to header keyword to path.
    """
    return {name: ReferenceSet(name, seed=seed).write(folder, overwrite=overwrite) for name in detectors}
