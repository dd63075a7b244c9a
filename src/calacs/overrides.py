"""What a caller replaces for one run: switches, reference files and parameters, all by keyword argument::

    acsccd.run("x_raw.fits", blevcorr="OMIT", biasfile="my_bias.fits", readnsea=4.1)

None leaves things as they are.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calacs import observation
from calacs.exposure import Exposure
from calacs.registry import REGISTRY

SWITCHES = (
    "DQICORR ATODCORR BIASCORR BLEVCORR SINKCORR PCTECORR GLINCORR LFLGCORR DARKCORR FLSHCORR FLATCORR SHADCORR "
    "PHOTCORR CRCORR RPTCORR EXPSCORR"
).split()
SCI_PARAMETERS = ("SDQFLAGS", "GLOBRATE", "NCOMBINE")
COLUMNS = {column for spec in REGISTRY.values() for column in spec.parameters}


@dataclass(frozen=True, slots=True)
class Overrides:
    """Replacements for one run.

    Attributes
    ----------
    switches, keywords, sci_keywords : dict
        Header values by keyword.
    references : dict
        Paths or objects by keyword.
    columns : dict
        Values for all rows of a table column.
    unnamed : set of str
        Keywords of reference files that the raw exposure's header does not get to name.
    """

    switches: dict[str, str] = field(default_factory=dict)
    keywords: dict[str, Any] = field(default_factory=dict)
    sci_keywords: dict[str, Any] = field(default_factory=dict)
    references: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Overrides:
        """Sort keyword arguments by what they replace; None leaves things as they are.

        Raises
        ------
        TypeError
            An argument is none of a switch, a reference keyword, a header parameter or a table parameter, or a reference
            is neither a path nor an HDUList.
        ValueError
            A switch is neither PERFORM nor OMIT, or an HDUList is empty.
        """
        overrides = cls()
        for name, value in arguments.items():
            keyword = name.upper().replace("DATE_OBS", "DATE-OBS")
            if value is None:
                continue
            if keyword in SWITCHES:
                overrides.switches[keyword] = _switch(name, value)
            elif keyword in REGISTRY:
                overrides.references[keyword] = _reference(name, value)
            elif keyword in observation.PARAMETERS:
                overrides.keywords[keyword] = value
            elif keyword in SCI_PARAMETERS:
                overrides.sci_keywords[keyword] = value
            elif keyword in COLUMNS:
                overrides.columns[keyword] = value
            else:
                known = [*SWITCHES, *REGISTRY, *observation.PARAMETERS, *SCI_PARAMETERS, *sorted(COLUMNS)]
                close = ", ".join(match.lower() for match in difflib.get_close_matches(keyword, known, 3))
                raise TypeError(f"unexpected argument {name!r}" + (f"; did you mean {close}?" if close else ""))
        return overrides

    def apply(self, exposure: Exposure) -> None:
        """Write the replacements of header keywords into an exposure."""
        for keyword, text in self.switches.items():
            exposure.primary.set(keyword, text)
        for keyword, value in self.keywords.items():
            exposure.primary.set(keyword, value)
        for keyword, source in self.references.items():
            if keyword in self.unnamed:
                continue
            is_name = isinstance(source, (str, os.PathLike))
            exposure.primary.set(keyword, os.fspath(source) if is_name else "object in memory")
        for imset in exposure.imsets:
            for keyword, value in self.sci_keywords.items():
                imset.header["SCI"].set(keyword, value)

    def add_history(self, exposure: Exposure) -> None:
        """Say in the product which table values were replaced."""
        for column, value in self.columns.items():
            exposure.primary.add_history(f"{column} = {value} replaced the value of the reference table")


def _switch(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "PERFORM" if value else "OMIT"
    text = str(value).strip().upper()
    if text not in ("PERFORM", "OMIT", "COMPLETE", "SKIPPED"):
        raise ValueError(f"{name} must be 'PERFORM', 'OMIT', True or False, not {value!r}")
    return text


def _reference(name: str, value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return value
    if not (isinstance(value, list) and hasattr(value, "info")):
        raise TypeError(f"{name} must be a path or an HDUList, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{name}: the HDUList is empty")
    return value
