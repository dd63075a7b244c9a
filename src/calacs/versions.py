"""Marks of the software and of the file in product headers."""

from __future__ import annotations

from calacs._version import CAL_VER
from calacs.exposure import Exposure


def stamp(exposure: Exposure, filename: str) -> None:
    """Write CAL_VER and FILENAME."""
    exposure.primary.set("CAL_VER", CAL_VER, "version number and date")
    exposure.primary.set("FILENAME", filename, "name of file")
