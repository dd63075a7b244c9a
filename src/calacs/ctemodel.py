"""What the charge-transfer kernels of `calacs.cte` are given and give back: the trap model, and results."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calacs.errors import InvalidValue, TableError

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrapModel:
    """Traps of one readout direction.

    Parameters
    ----------
    charge : array_like of float64, shape (n_level,)
        Packet size from which each trap level captures (electron), non-decreasing (`QLEV_Q` of a PCTETAB).
    capture : array_like of float64, shape (n_level,)
        Electrons each level captures over the whole readout at unit trap density (`DPDE_W`).
    release : array_like of float32, shape (n_level, n_tail)
        Fraction of the captured charge that is released 1, 2, ... pixels after the capture.
    held : array_like of float32, shape (n_level, n_tail)
        Fraction still held 1, 2, ... pixels after it, which the next capture sets free at once.
    n_transfer : int
        Sub-steps of a simulated readout (`PCTENPAR`).
    n_iteration : int
        Simulated readouts by which a readout is inverted (`PCTENFOR`); less than 1 counts as 1.
    fix_cosmic_rays : bool
        Weaken the traps where a trail is subtracted that is not there, as behind a cosmic ray that struck during
        readout (`FIXROCR`).
    oversubtraction : float
        A restored pixel below this (electron) tells such a trail (`PCTETRSH`).

    Raises
    ------
    TableError
        Shapes that do not fit, non-finite numbers, charge levels that fall.
    InvalidValue
        `n_transfer` below 1, a number of sub-steps or iterations that is not whole, or a NaN threshold.

    Notes
    -----
    The arrays are copied and read-only.
    """

    charge: NDArray[np.float64]
    capture: NDArray[np.float64]
    release: NDArray[np.float32]
    held: NDArray[np.float32]
    n_transfer: int = 7
    n_iteration: int = 5
    fix_cosmic_rays: bool = True
    oversubtraction: float = -10.0

    def __post_init__(self) -> None:
        for name, dtype, ndim in (("charge", "f8", 1), ("capture", "f8", 1), ("release", "f4", 2), ("held", "f4", 2)):
            with np.errstate(over="ignore"):
                array = np.array(getattr(self, name), dtype=dtype, order="C")
            if array.ndim != ndim or array.size == 0:
                raise TableError(
                    f"trap model: {name} has shape {array.shape}; give {ndim} dimension(s), none of them empty"
                )
            if not np.isfinite(array).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise TableError(f"trap model: {name}{list(where)} is {array[where]}; every entry must be finite")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        n_level = self.charge.size
        for name in ("capture", "release", "held"):
            if getattr(self, name).shape[0] != n_level:
                raise TableError(
                    f"trap model: {name} has {getattr(self, name).shape[0]} levels, charge {n_level}; they must agree"
                )
        if self.release.shape != self.held.shape:
            raise TableError(
                f"trap model: release has shape {self.release.shape}, held {self.held.shape}; they must agree"
            )
        falls = np.flatnonzero(np.diff(self.charge) < 0)
        if falls.size:
            level = int(falls[0]) + 1
            raise TableError(
                f"trap model: charge[{level}] = {self.charge[level]:g} is below charge[{level - 1}] = "
                f"{self.charge[level - 1]:g}; sort the levels by charge"
            )
        for name, keyword in (("n_transfer", "PCTENPAR"), ("n_iteration", "PCTENFOR")):
            value = getattr(self, name)
            if int(value) != value:
                raise InvalidValue(f"trap model: {name} ({keyword}) is {value}; give a whole number")
            object.__setattr__(self, name, int(value))
        if self.n_transfer < 1:
            raise InvalidValue(f"trap model: n_transfer (PCTENPAR) is {self.n_transfer}; it must be at least 1")
        if math.isnan(self.oversubtraction):
            raise InvalidValue(
                "trap model: oversubtraction (PCTETRSH) is NaN; give electrons, or -inf to switch it off"
            )

    @property
    def n_level(self) -> int:
        """Number of trap levels."""
        return int(self.charge.size)

    @property
    def n_tail(self) -> int:
        """Pixels a trail lasts (`PCTETLEN`)."""
        return int(self.release.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Result of `smooth`: the smooth image, the iterations made, and the rms of what was taken out (electron)."""

    image: FloatImage
    n_iteration: int
    rms: float


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """Result of `inverse`: the restored image, and how often each column was inverted (once, or up to 5 times)."""

    image: FloatImage
    n_run: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class TrapMap:
    """Result of `trap_map`: relative trap density (n_col, n_row), and which columns the table covers."""

    density: FloatImage
    covered: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Correction:
    """What `correct` did: smoothing iterations, rms taken out (electron), columns inverted more than once."""

    n_iteration: int
    rms: float
    n_repeated: int
