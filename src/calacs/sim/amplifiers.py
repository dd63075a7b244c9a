"""Amplifier parameters of the CCDs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .constants import CONSTANTS

__all__ = ["CcdValues", "ccd_values"]


@dataclass(frozen=True)
class CcdValues:
    """Amplifier parameters at one commanded gain.

    Attributes
    ----------
    gain : mapping of str to float
        electron / DN, as the table holds them (float32).
    read_noise : mapping of str to float
        electron.
    bias_level : mapping of str to float
        DN.
    """

    gain: Mapping[str, float]
    read_noise: Mapping[str, float]
    bias_level: Mapping[str, float]


def ccd_values(detector: str, ccdgain: float) -> CcdValues:
    """Return the amplifier parameters of a CCD at a commanded gain."""
    table = CONSTANTS[detector.lower()]
    if not any(abs(ccdgain - value) < 1e-6 for value in table["commanded_gains"]):
        raise ValueError(f"{detector} has no commanded gain {ccdgain}; choose from {table['commanded_gains']}")
    scale = ccdgain / 2.0
    return CcdValues(
        {amp: float(np.float32(value * scale)) for amp, value in table["gain"].items()},
        dict(table["read_noise"]),
        {amp: float(np.float32(value)) for amp, value in table["bias_level"].items()},
    )
