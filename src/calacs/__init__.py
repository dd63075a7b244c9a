"""Calibration of exposures of the Hubble Space Telescope's Advanced Camera for Surveys."""

from calacs._version import __version__

__all__ = ["__version__"]
