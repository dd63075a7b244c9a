"""A simulated exposure: its frames, its truth and its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import files, geometry, headers
from .files import Hdu
from .geometry import Readout
from .references import ReferenceSet

__all__ = ["Simulation", "Truth"]

Float = NDArray[np.float32]

_SCALE = {"WFC": 0.05, "HRC": 0.027, "SBC": 0.032}  # arcsec / pixel, ACS Instrument Handbook

# PCTECORR needs both darks: flt is made with one, flc with the other.
_STEP_REFERENCES: Mapping[str, tuple[str, ...]] = {
    "ATODCORR": ("ATODTAB",),
    "BIASCORR": ("BIASFILE", "SATUFILE"),
    "SINKCORR": ("SNKCFILE",),
    "FLSHCORR": ("FLSHFILE",),
    "SHADCORR": ("SHADFILE",),
    "PCTECORR": ("PCTETAB", "DRKCFILE"),
    "DARKCORR": ("DARKFILE",),
    "FLATCORR": ("PFLTFILE", "DFLTFILE", "CFLTFILE", "SPOTTAB"),
    "CRCORR": ("CRREJTAB",),
    "RPTCORR": ("CRREJTAB",),
    "GLINCORR": ("MLINTAB",),
    "LFLGCORR": ("MLINTAB",),
}


@dataclass(frozen=True)
class Truth:
    """What an image set would be without the instrument.

    Attributes
    ----------
    sci : ndarray of float32
        Expected calibrated image (flt) without cosmic rays and noise, electron, trimmed.
    cosmic_rays : ndarray of float32
        Charge left by cosmic rays, electron, before division by the flat.
    charge : ndarray of float32
        Charge collected in the pixels (with dark current, flash, noise, cosmic rays, full wells),
        before the transfer to the amplifiers; what a perfect overscan correction leaves (blv_tmp).
    full : ndarray of bool
        Pixels whose wells were full.
    converter_full : ndarray of bool
        Pixels at the end of the converter's range (DQ 2048), trimmed.
    sink : ndarray of bool
        Sink pixels that lost charge.
    level : mapping of str to float
        Bias level of each amplifier, electron.
    """

    sci: Float
    cosmic_rays: Float
    charge: Float
    full: NDArray[np.bool_]
    converter_full: NDArray[np.bool_]
    sink: NDArray[np.bool_]
    level: Mapping[str, float]


@dataclass(frozen=True)
class Simulation:
    """A simulated exposure.

    Attributes
    ----------
    rootname : str
    detector : str
    effects : frozenset of str
    frames : tuple of Readout
        Geometry of the image sets, in the order of EXTVER.
    raw : tuple of ndarray of uint16
        Untrimmed frames, DN (SBC: counts).
    truth : tuple of Truth
    values : mapping
        Primary header values (exposure time, filters, switches, reference files ...).
    dark_time : float
        Time during which dark current was collected, s.
    global_rate : float
        Counts per second over the detector (SBC).
    references : ReferenceSet
    """

    rootname: str
    detector: str
    effects: frozenset[str]
    frames: tuple[Readout, ...]
    raw: tuple[NDArray[np.uint16], ...]
    truth: tuple[Truth, ...]
    values: Mapping[str, object]
    dark_time: float
    global_rate: float
    references: ReferenceSet = field(repr=False)

    @property
    def filename(self) -> str:
        """Name of the raw file."""
        return f"{self.rootname}_raw.fits"

    @cached_property
    def _hdus(self) -> list[Hdu]:
        hdus = [files.primary_hdu(headers.fill(headers.PRIMARY[self.detector], self.values))]
        for frame, data in zip(self.frames, self.raw, strict=True):
            hdus += _image_set(self, frame, data)
        return hdus

    def hdus(self) -> list[Hdu]:
        """Return the HDUs of the raw file."""
        return list(self._hdus)

    def to_hdulist(self) -> Any:
        """Return the raw file as an `astropy.io.fits.HDUList`."""
        return files.to_hdulist(self._hdus)

    def write(self, folder: str | os.PathLike[str], *, spt: bool = False, overwrite: bool = False) -> Path:
        """Write the raw file.

        Parameters
        ----------
        folder : path
            Made if it does not exist.
        spt : bool
            Write the support file as well.
        overwrite : bool

        Returns
        -------
        Path
            Of the raw file.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        if spt:
            files.write(target / f"{self.rootname}_spt.fits", _support(self), overwrite=overwrite)
        return files.write(target / self.filename, self._hdus, overwrite=overwrite)

    def needed_references(self) -> tuple[str, ...]:
        """Return the header keywords of the reference files that the steps to be performed read."""
        perform = {key for key, value in self.values.items() if value == "PERFORM"}
        wanted = {"CCDTAB", "OSCNTAB", "BPIXTAB", "IMPHTTAB"}
        for switch, keywords in _STEP_REFERENCES.items():
            if switch in perform:
                wanted.update(keywords)
        return tuple(key for key in self.references.names if key in wanted and self.values.get(key, "N/A") != "N/A")

    def write_references(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write the reference files that the exposure needs and that are not in `folder` yet.

        Returns
        -------
        dict
            Header keyword to path, of all that it needs.
        """
        target = Path(folder)
        paths = {key: target / self.references.names[key] for key in self.needed_references()}
        self.references.write(target, [key for key, path in paths.items() if not path.exists()])
        return paths


def _image_set(simulation: Simulation, frame: Readout, data: NDArray[np.uint16]) -> list[Hdu]:
    n_row, n_col = frame.shape
    ltv = frame.ltv
    full = geometry.chip_shape(frame.detector, trimmed=True)
    degree = _SCALE[frame.detector] / 3600.0
    values: dict[str, object] = {
        "EXTVER": frame.extver,
        "CCDCHIP": frame.chip if frame.detector == "WFC" else None,
        "ROOTNAME": simulation.rootname,
        "EXPNAME": simulation.rootname,
        "CRPIX1": full[1] / 2.0 + ltv[0],
        "CRPIX2": full[0] / 2.0 + ltv[1],
        "CD1_1": round(degree, 12),
        "CD2_2": round(degree, 12),
        "LTV1": float(ltv[0]),
        "LTV2": float(ltv[1]),
        "RAW_LTV1": float(ltv[0]),
        "RAW_LTV2": float(ltv[1]),
        "CENTERA1": n_col // 2 - ltv[0] + 1,
        "CENTERA2": n_row // 2 - ltv[1] + 1,
        "SIZAXIS1": n_col,
        "SIZAXIS2": n_row,
    }
    low, high, mean = float(data.min()), float(data.max()), float(data.mean())
    science = values | {
        "EXTNAME": "SCI",
        "DATAMIN": low,
        "DATAMAX": high,
        "GOODMIN": low,
        "GOODMAX": high,
        "GOODMEAN": round(mean, 9),
        "NGOODPIX": data.size,
    }
    if frame.detector == "SBC":
        science["GLOBRATE"] = simulation.global_rate
    templates = headers.EXTENSION[frame.detector]
    known = {name: {line.split(" ", 1)[0] for line in text.splitlines()} for name, text in templates.items()}
    hdus = []
    for name in ("SCI", "ERR", "DQ"):
        chosen = science if name == "SCI" else values | {"EXTNAME": name, "NPIX1": n_col, "NPIX2": n_row}
        cards = headers.fill(templates[name], {key: value for key, value in chosen.items() if key in known[name]})
        if name == "SCI":
            hdus.append(files.image_hdu(data, cards, unsigned=True))
        else:
            hdus.append(files.constant_hdu(0.0 if name == "ERR" else 0, (n_row, n_col), cards))
    return hdus


def _support(simulation: Simulation) -> list[Hdu]:
    name = f"{simulation.rootname}_spt.fits"
    values = {
        "FILENAME": name,
        "ROOTNAME": simulation.rootname,
        "OBSERVTN": simulation.rootname[6:9].upper(),
        **{key: simulation.values[key] for key in ("ASN_ID", "ASN_TAB", "ASN_MTYP") if key in simulation.values},
    }
    packet = np.arange(965, dtype=np.int16)
    return [
        files.primary_hdu(headers.fill(headers.SPT, values)),
        files.image_hdu(packet, (), "UDL", 1),
    ]
