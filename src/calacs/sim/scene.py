"""What falls on the detector: sky, stars, cosmic rays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import geometry
from .constants import CONSTANTS

__all__ = ["Scene", "cosmic_rays"]

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A field of view.

    Attributes
    ----------
    sky : float
        Background, electron / s / pixel.
    gradient : float
        Relative change of the background over a chip, along x and y.
    star_density : float
        Stars per pixel.
    star_flux : tuple of float
        Faintest and brightest star, electron / s; the numbers follow a power law.
    fwhm : float
        Width of the stars in pixels.
    images : mapping of int to ndarray, optional
        Further rate by CCDCHIP, electron / s / pixel, shape of the trimmed chip (or a number).
    """

    sky: float = CONSTANTS["scene"]["sky"]
    gradient: float = CONSTANTS["scene"]["gradient"]
    star_density: float = CONSTANTS["scene"]["star_density"]
    star_flux: tuple[float, float] = CONSTANTS["scene"]["star_flux"]
    fwhm: float = CONSTANTS["scene"]["fwhm"]
    images: Mapping[int, Any] | None = None

    @classmethod
    def flat_field(cls, rate: float) -> Scene:
        """Return a scene of uniform `rate` (electron / s / pixel)."""
        return cls(sky=rate, gradient=0.0, star_density=0.0)

    def render(
        self, frame: geometry.Readout, rng: np.random.Generator, offset: tuple[float, float] = (0.0, 0.0)
    ) -> Float:
        """Return the rate in the illuminated part of a frame.

        Parameters
        ----------
        frame : Readout
        rng : Generator
            Places the stars; the same stars for every frame on the chip.
        offset : (x, y)
            Shift of the field in pixels (dither).

        Returns
        -------
        ndarray of float32, shape ``frame.trimmed_shape``
            electron / s / pixel.
        """
        chip_rows, chip_cols = geometry.chip_shape(frame.detector, trimmed=True)
        rows, cols = frame.on_chip
        y = np.linspace(-0.5, 0.5, chip_rows, dtype=np.float32)[rows]
        x = np.linspace(-0.5, 0.5, chip_cols, dtype=np.float32)[cols]
        slope = np.float32(self.sky * self.gradient)
        rate = np.float32(self.sky) + slope * (0.5 * y[:, None] + 0.5 * x)
        if self.images is not None and frame.chip in self.images:
            image = np.asarray(self.images[frame.chip], dtype=np.float32)
            rate += image[frame.on_chip] if image.ndim else image
        n = rng.poisson(self.star_density * chip_rows * chip_cols)
        positions = rng.random((n, 2)) * (chip_cols + 40, chip_rows + 40) - 20.0
        low, high = self.star_flux
        index = 1.0 - CONSTANTS["scene"]["star_slope"]
        flux = (low**index + rng.random(n) * (high**index - low**index)) ** (1.0 / index)
        _add_stars(rate, positions + offset - (cols.start, rows.start), flux, self.fwhm)
        return rate


def _add_stars(rate: Float, positions: NDArray[np.float64], flux: NDArray[np.float64], fwhm: float) -> None:
    # Moffat profile of index 2.5, cut at a few widths and normalized there.
    beta = 2.5
    alpha = 0.5 * fwhm / np.sqrt(2.0 ** (1.0 / beta) - 1.0)
    half = int(np.ceil(6 * fwhm))
    n_row, n_col = rate.shape
    steps = np.arange(-half, half + 1)
    for (x, y), value in zip(positions, flux, strict=True):
        col, row = round(x), round(y)
        if not (-half <= col < n_col + half and -half <= row < n_row + half):
            continue
        profile = (1.0 + ((steps + col - x) ** 2 + (steps + row - y)[:, None] ** 2) / alpha**2) ** -beta
        profile *= value / profile.sum()
        y0, y1 = max(row - half, 0), min(row + half + 1, n_row)
        x0, x1 = max(col - half, 0), min(col + half + 1, n_col)
        if y0 < y1 and x0 < x1:
            rate[y0:y1, x0:x1] += profile[y0 - row + half : y1 - row + half, x0 - col + half : x1 - col + half]


def cosmic_rays(shape: tuple[int, int], rate: float, time: float, rng: np.random.Generator) -> Float:
    """Return the charge that cosmic rays leave.

    Parameters
    ----------
    shape : (rows, columns)
    rate : float
        Events / pixel / s.
    time : float
        s.
    rng : Generator

    Returns
    -------
    ndarray of float32
        electron; zero where nothing hit.

    Notes
    -----
    Straight tracks of log-normal length and charge in random directions; a pixel gets the charge of
    the part of the track in it, sampled every half pixel.
    """
    table = CONSTANTS["cosmic_rays"]
    n_row, n_col = shape
    n = rng.poisson(rate * time * n_row * n_col)
    x0, y0 = rng.random(n) * n_col, rng.random(n) * n_row
    angle = rng.random(n) * 2 * np.pi
    length = np.minimum(rng.lognormal(np.log(table["median_length"]), table["sigma_length"], n), 200.0)
    charge = rng.lognormal(np.log(table["median_charge"]), table["sigma_charge"], n)
    samples = np.maximum((2 * length).astype(np.int64), 1)
    track = np.repeat(np.arange(n), samples)
    step = (np.arange(samples.sum()) - np.repeat(np.cumsum(samples) - samples, samples)) * 0.5
    col = np.floor(x0[track] + step * np.cos(angle[track])).astype(np.int64)
    row = np.floor(y0[track] + step * np.sin(angle[track])).astype(np.int64)
    inside = (col >= 0) & (col < n_col) & (row >= 0) & (row < n_row)
    hits = np.bincount(row[inside] * n_col + col[inside], weights=0.5 * charge[track[inside]], minlength=n_row * n_col)
    return hits.reshape(shape).astype(np.float32)
