"""Calibration of exposures of the Hubble Space Telescope's Advanced Camera for Surveys.

Tasks are modules with a function of the same name for files and ``run`` for exposures in memory::

    from calacs import calacs
    calacs.calacs("j8bt05njq_raw.fits")              # files, as ACSTOOLS does it
    products = calacs.run("j8bt05njq_raw.fits")      # in memory

Modules are imported when they are first used, so that ``import calacs`` costs next to nothing.
"""

from __future__ import annotations

from calacs._version import __version__

TYPE_CHECKING = False  # that of typing, without its import
_MODULES = frozenset(
    "acsccd acscte acscteforwardmodel acs2d acsrej acssum calacs cte dq errors exposure fits sim".split()
)
_NAMES = {
    "Exposure": "exposure",
    "ImSet": "exposure",
    "CalacsError": "errors",
    "CalacsWarning": "errors",
    "ReferenceCache": "refcache",
}

__all__ = ["CalacsError", "CalacsWarning", "Exposure", "ImSet", "ReferenceCache", "__version__"]


if TYPE_CHECKING:
    from calacs.errors import CalacsError, CalacsWarning
    from calacs.exposure import Exposure, ImSet
    from calacs.refcache import ReferenceCache
else:

    def __getattr__(name):
        import importlib

        if name in _MODULES:
            return importlib.import_module(f"calacs.{name}")
        if name in _NAMES:
            return getattr(importlib.import_module(f"calacs.{_NAMES[name]}"), name)
        raise AttributeError(f"module 'calacs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
