"""Image references: how each is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import geometry
from .constants import CONSTANTS

__all__ = ["MAKERS", "Plane"]

Float = NDArray[np.float32]
Short = NDArray[np.int16]


@dataclass(frozen=True)
class Plane:
    """One chip of a reference image; `err` and `dq` are single values where the plane is constant."""

    sci: Float
    err: Float | float
    dq: Short | int


def _smooth(shape: tuple[int, int], rng: np.random.Generator, amplitude: float) -> Float:
    # Product of two slow waves a axis: cheap, separable, without edges.
    out = np.zeros(shape, np.float32)
    y = np.linspace(0.0, 1.0, shape[0])
    x = np.linspace(0.0, 1.0, shape[1])
    for _ in range(3):
        ky, kx, py, px = rng.uniform(0.3, 1.6, 4) * (1.0, 1.0, 4.0, 4.0)
        wave_y = np.cos(np.pi * (ky * y + py)).astype(np.float32)
        wave_x = np.cos(np.pi * (kx * x + px)).astype(np.float32)
        out += np.float32(amplitude / 3.0) * wave_y[:, None] * wave_x
    return out


def _pick(shape: tuple[int, int], fraction: float, rng: np.random.Generator) -> NDArray[np.int64]:
    size = shape[0] * shape[1]
    return np.unique(rng.integers(0, size, int(rng.poisson(fraction * size))))


def _bias(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["bias"]
    sci = rng.standard_normal(shape, np.float32)
    sci *= np.float32(table["pixel_rms"])
    sci += (table["column_rms"] * rng.standard_normal(shape[1])).astype(np.float32)
    sci += (table["gradient"] * (np.linspace(-0.5, 0.5, shape[0]) ** 2)).astype(np.float32)[:, None]
    dq = np.zeros(shape, np.int16)
    frame = next(item for item in geometry.readouts(detector) if item.chip == chip)
    rows, cols = frame.illuminated
    for col in rng.integers(cols.start, cols.stop, table["bad_columns"]):
        first = int(rng.integers(rows.start, rows.stop))
        sci[first : rows.stop, col] += np.float32(rng.uniform(1.0, 6.0))
        dq[first : rows.stop, col] |= 128
    return Plane(sci, float(np.float32(table["error"])), dq)


def _full_well(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    well = CONSTANTS[detector.lower()]["full_well"]
    return Plane(np.float32(well) * (1 + _smooth(shape, rng, 0.03)), 0.0, 0)


def _sinks(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["sink"]
    thresholds = np.array(table["thresholds"], np.float32)
    sci = np.zeros(shape, np.float32)
    frame = next(item for item in geometry.readouts(detector) if item.chip == chip)
    rows, cols = frame.illuminated
    n = int(rng.poisson(1e-6 * table["per_million"] * shape[0] * shape[1]))
    margin = thresholds.size + 2
    y = rng.integers(rows.start + margin, rows.stop - margin, n)
    x = rng.integers(cols.start, cols.stop, n)
    depth = rng.uniform(table["depth"][0], table["depth"][1], n).round().astype(np.float32)
    away = 1 if chip == 2 or detector == "HRC" else -1
    # Later sinks overwrite earlier ones; a sink that lost its own pixel is no sink.
    for step, threshold in enumerate(thresholds, 1):
        sci[y + away * step, x] = threshold
    sci[y - away, x] = -1.0
    sci[y, x] = -depth
    return Plane(sci, 0.0, 0)


def _clean_dark(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["dark"]
    own = CONSTANTS[detector.lower()]
    sci = np.float32(own["dark_rate"]) * (1 + _smooth(shape, rng, 0.1))
    dq = np.zeros(shape, np.int16)
    hot = _pick(shape, own["hot_fraction"], rng)
    low, high = table["hot_range"]
    # The number of hot pixels falls like the inverse square of their rate.
    u = rng.random(hot.size)
    rate = (1.0 / (1.0 / low - u * (1.0 / low - 1.0 / high))).astype(np.float32)
    sci.flat[hot] += rate
    dq.flat[hot] = np.where(rate >= table["hot_limit"], 16, 64)
    return Plane(sci, float(np.float32(table["error"])), dq)


def _dark(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    if detector == "SBC":
        return Plane(np.full(shape, CONSTANTS["sbc"]["dark_rate"], np.float32), 0.0, 0)
    clean = _clean_dark(detector, chip, shape, rng)
    if detector == "HRC":
        return clean
    # The same dark current as the charge transfer leaves it: a little of each hot pixel in its trail.
    excess = clean.sci - np.float32(CONSTANTS["wfc"]["dark_rate"])
    lost = np.float32(CONSTANTS["dark"]["trail"]) * excess
    sci = clean.sci - lost
    for step in range(1, 5):
        share = np.float32(2.0 ** (-step) / 0.9375)
        if chip == 2:
            sci[step:] += share * lost[:-step]
        else:
            sci[:-step] += share * lost[step:]
    return Plane(sci, clean.err, clean.dq)


def _flash(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["flash"]
    return Plane(np.float32(table["rate"]) * (1 + _smooth(shape, rng, 0.25)), float(np.float32(table["error"])), 0)


def _pixel_flat(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["flat"]
    sci = rng.standard_normal(shape, np.float32)
    sci *= np.float32(table["pixel_rms"])
    sci += np.float32(1.0)
    sci += _smooth(shape, rng, table["large_scale"])
    dq = np.zeros(shape, np.int16)
    dead = _pick(shape, 1e-6 * table["dead_per_million"], rng)
    sci.flat[dead] *= rng.uniform(0.3, 0.7, dead.size).astype(np.float32)
    dq.flat[dead] = 512
    return Plane(sci, float(np.float32(table["error"])), dq)


def _smooth_flat(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    return Plane(1 + _smooth(shape, rng, 0.01), float(np.float32(CONSTANTS["flat"]["error"])), 0)


def _spots(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["spots"]
    sci = np.ones(shape, np.float32)
    radius = int(2.5 * table["radius"])
    for y, x in zip(
        rng.integers(radius, shape[0] - radius, table["count"]),
        rng.integers(radius, shape[1] - radius, table["count"]),
        strict=True,
    ):
        box = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1])
        dip = 1.0 - table["depth"] / (1.0 + np.exp(0.8 * (box - table["radius"])))
        sci[y - radius : y + radius + 1, x - radius : x + radius + 1] *= dip.astype(np.float32)
    return Plane(sci, float(np.float32(CONSTANTS["flat"]["error"])), 0)


def _shading(detector: str, chip: int, shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    table = CONSTANTS["shading"]
    return Plane(np.float32(table["time"]) * (1 + _smooth(shape, rng, 0.3)), float(np.float32(table["error"])), 0)


MAKERS: Mapping[str, Callable[[str, int, tuple[int, int], np.random.Generator], Plane]] = {
    "BIASFILE": _bias,
    "SATUFILE": _full_well,
    "SNKCFILE": _sinks,
    "DARKFILE": _dark,
    "DRKCFILE": _clean_dark,
    "FLSHFILE": _flash,
    "PFLTFILE": _pixel_flat,
    "DFLTFILE": _smooth_flat,
    "LFLTFILE": _smooth_flat,
    "CFLTFILE": _spots,
    "SHADFILE": _shading,
}
"""How to compute one chip of each image, by header keyword, from detector, CCDCHIP, shape and random numbers."""
