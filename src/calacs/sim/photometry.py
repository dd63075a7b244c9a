"""The table of photometric keywords (IMPHTTAB)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import Hdu, card
from .reference_kinds import PEDIGREE, Content, make_table

__all__ = ["photometry"]

# Filter, PHOTFLAM, PHOTPLAM, PHOTBW.  WFC: IMPHTTAB 08b18470j (genuine).  HRC and SBC: ACS Data Handbook, rounded.
_FILTERS: Mapping[str, tuple[tuple[str, float, float, float], ...]] = {
    "WFC": (
        ("f435w", 3.1717949e-19, 4329.83, 298.954),
        ("f475w", 1.8369779e-19, 4746.96, 420.145),
        ("f502n", 5.2808188e-18, 5023.01, 28.658),
        ("f550m", 4.0053855e-19, 5581.47, 163.115),
        ("f555w", 1.9712732e-19, 5361.01, 360.111),
        ("f606w", 7.8462814e-20, 5921.66, 672.422),
        ("f625w", 1.1934248e-19, 6311.72, 415.424),
        ("f658n", 1.9803144e-18, 6583.95, 36.843),
        ("f660n", 5.1820062e-18, 6599.43, 34.943),
        ("f775w", 1.0008399e-19, 7693.30, 434.530),
        ("f814w", 7.0804500e-20, 8045.62, 653.327),
        ("f850lp", 1.5254389e-19, 9033.62, 525.746),
        ("f892n", 1.5070770e-18, 8914.83, 72.102),
        ("g800l", 4.9165359e-20, 7471.78, 1040.922),
    ),
    "HRC": (
        ("f220w", 8.11e-18, 2255.5, 187.29),
        ("f250w", 4.72e-18, 2715.9, 239.41),
        ("f330w", 2.24e-18, 3362.7, 173.75),
        ("f435w", 5.39e-19, 4310.9, 310.10),
        ("f475w", 2.94e-19, 4775.7, 420.25),
        ("f555w", 3.02e-19, 5356.0, 360.23),
        ("f606w", 1.29e-19, 5887.9, 666.79),
        ("f775w", 1.96e-19, 7665.1, 440.39),
        ("f814w", 1.27e-19, 8115.3, 703.24),
        ("f850lp", 2.25e-19, 9145.2, 539.47),
    ),
    "SBC": (
        ("f115lp", 2.21e-18, 1406.2, 92.66),
        ("f122m", 9.97e-18, 1273.8, 47.28),
        ("f125lp", 1.74e-18, 1438.2, 84.45),
        ("f140lp", 2.71e-18, 1527.2, 78.66),
        ("f150lp", 3.30e-18, 1610.7, 70.15),
        ("f165lp", 6.97e-18, 1757.6, 55.33),
    ),
}
_RAMPS = (
    ("fr423n", 4049.0, 4420.0),
    ("fr656n", 6274.0, 6848.0),
    ("fr782n", 7413.0, 8091.0),
    ("fr853n", 8158.0, 8905.0),
)
_MJD = (52334.0, 53919.0, 53920.0, 54976.0, 54977.0, 59214.0)


def photometry(detector: str) -> Content:
    """Return the content of an IMPHTTAB."""
    # Sensitivity falls by a tenth of a percent a year; the steps are the two changes of temperature.
    loss = 1 + 2.7e-6 * (np.array(_MJD) - _MJD[0]) + np.array([0, 0, 0.018, 0.018, 0.018, 0.018])
    channel = {"WFC": "acs,wfc1", "HRC": "acs,hrc", "SBC": "acs,sbc"}[detector]
    epoch = "MJD#"
    rows: list[tuple[str, int, str, list[float], NDArray[np.float64]]] = []
    for name, *values in _FILTERS[detector]:
        rows.append((f"{channel},{name}", 0, "", values, np.zeros(0)))
        rows.append((f"{channel},{name},{epoch}", 1, epoch, values, np.zeros(0)))
        if detector != "SBC":
            for polarizer, factor in (("pol_v", 3.0), ("pol_uv", 2.2)):
                dimmed = [factor * values[0], *values[1:]]
                rows.append((f"{channel},{name},{polarizer},{epoch}", 1, epoch, dimmed, np.zeros(0)))
        if detector == "HRC":
            rows.append((f"{channel},coron,{name},{epoch}", 1, epoch, [1.9 * values[0], *values[1:]], np.zeros(0)))
    if detector == "WFC":
        for name, low, high in _RAMPS:
            grid = np.linspace(low, high, 11)
            center = [4.5e-18, 0.5 * (low + high), 50.0]
            rows.append((f"{channel},{name}#", 1, f"{name.upper()}#", center, grid))
            rows.append((f"{channel},{name}#,{epoch}", 2, f"{name.upper()}#", center, grid))
    cards = [
        card("NEXTEND", 3, "number of extensions"),
        card("PHOTZPT", -21.1, "photometric zero point"),
        card("PARNUM", 2, "number of parametrized variables"),
        card("EXTRAP", True, "extrapolation of MJD# allowed"),
    ]
    hdus: list[Hdu] = []
    empty = np.zeros(1)
    for number, kind in enumerate(("PHOTFLAM", "PHOTPLAM", "PHOTBW")):
        cells: list[tuple[Any, ...]] = []
        drift = loss if kind == "PHOTFLAM" else 1 + 1e-3 * (loss - 1)
        for mode, n_par, parameter, center, grid in rows:
            value = center[number]
            one = two = par1 = par2 = empty
            along = value * (1 + 0.4 * (grid - grid.mean()) / grid.mean()) if grid.size else value * np.ones(1)
            if kind == "PHOTPLAM" and grid.size:
                along = grid + 0.7
            if n_par == 1:
                par1 = grid if grid.size else np.array(_MJD)
                one = along if grid.size else value * drift
            elif n_par == 2:
                par1, par2 = grid, np.array(_MJD)
                two = np.outer(drift, along).ravel()
            scalar = value if n_par == 0 else 0.0
            column = kind + (str(n_par) if n_par else "")
            cells.append(
                (
                    mode, column, scalar, one, two, parameter, epoch if n_par == 2 else "", par1, par2,
                    par1.size if n_par else 0, par2.size if n_par == 2 else 0, PEDIGREE, "simulated",
                )
            )  # fmt: skip
        names = [
            "OBSMODE", "DATACOL", kind, f"{kind}1", f"{kind}2", "PAR1NAMES", "PAR2NAMES",
            "PAR1VALUES", "PAR2VALUES", "NELEM1", "NELEM2", "PEDIGREE", "DESCRIP",
        ]  # fmt: skip
        forms = ["40A", "12A", "D", "PD", "PD", "8A", "8A", "PD", "PD", "I", "I", "30A", "110A"]
        hdus.append(make_table(kind, names, forms, cells))
    return cards, hdus
