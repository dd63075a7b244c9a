"""Simulated associations: exposures that belong together, and their table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import files, headers
from .exposure import simulate
from .files import Hdu
from .references import ReferenceSet
from .simulation import Simulation

__all__ = ["Association", "simulate_association"]


@dataclass(frozen=True)
class Association:
    """Exposures that belong together.

    Attributes
    ----------
    rootname : str
        Of the association table.
    members : tuple of Simulation
    rows : tuple of (str, str, bool)
        MEMNAME, MEMTYPE, MEMPRSNT of the table.
    """

    rootname: str
    members: tuple[Simulation, ...]
    rows: tuple[tuple[str, str, bool], ...]

    @property
    def filename(self) -> str:
        """Name of the association table."""
        return f"{self.rootname}_asn.fits"

    def hdus(self) -> list[Hdu]:
        """Return the HDUs of the association table."""
        values = {
            "FILENAME": self.filename,
            "ROOTNAME": self.rootname,
            "DETECTOR": self.members[0].detector,
            "ASN_ID": self.rootname,
            "ASN_TAB": self.filename,
        }
        names, types, present = zip(*self.rows, strict=True)
        table = files.table_hdu(
            [
                files.Column("MEMNAME", "14A", [name.upper() for name in names], display="A14"),
                files.Column("MEMTYPE", "14A", types, display="A14"),
                files.Column("MEMPRSNT", "L", present, display="L6"),
            ],
            [files.card("ROOTNAME", self.rootname, "rootname of the observation set", "34")],
            "ASN",
        )
        return [files.primary_hdu(headers.fill(headers.ASN, values)), table]

    def write(self, folder: str | os.PathLike[str], *, spt: bool = True, overwrite: bool = False) -> Path:
        """Write table, raw files and support files.

        Returns
        -------
        Path
            Of the association table.
        """
        target = Path(folder)
        for member in self.members:
            member.write(target, spt=spt, overwrite=overwrite)
        return files.write(target / self.filename, self.hdus(), overwrite=overwrite)


def simulate_association(
    kind: str = "CR-SPLIT",
    detector: str = "WFC",
    *,
    n_exposure: int = 2,
    n_position: int = 1,
    seed: int = 0,
    step: tuple[float, float] = (12.5, 7.25),
    rootname: str = "",
    exptime: float | Sequence[float] = 500.0,
    mjd: float | None = None,
    keywords: Mapping[str, object] | None = None,
    references: ReferenceSet | None = None,
    **options: Any,
) -> Association:
    """Simulate the exposures of an association.

    Parameters
    ----------
    kind : {"CR-SPLIT", "REPEAT-OBS", "DITHER"}
        A DITHER has one exposure a position.
    detector : {"WFC", "HRC", "SBC"}
    n_exposure : int
        Exposures at each position.
    n_position : int
        Dither positions.
    seed : int
        The exposures differ in everything random but the scene.
    step : (x, y)
        Shift of the scene from position to position, pixels.
    rootname : str
        Six characters that all names begin with.
    exptime : float or sequence of float
        s; a sequence has one entry an exposure of a position.
    mjd : float, optional
        Start of the first exposure.
    keywords, references, **options
        As for `simulate`, the same for all exposures.

    Returns
    -------
    Association
    """
    codes = {"CR-SPLIT": "CR", "REPEAT-OBS": "RP", "DITHER": "DTH"}
    if kind not in codes:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(codes)}")
    if kind == "DITHER":
        n_exposure = 1
    times = [float(exptime)] * n_exposure if isinstance(exptime, (int, float)) else [float(t) for t in exptime]
    if len(times) != n_exposure or n_exposure < 1 or n_position < 1:
        raise ValueError(f"{n_exposure} exposures at {n_position} positions with {len(times)} exposure times")
    stem = rootname or f"j{detector[0].lower()}{seed % 1000:03d}a"
    refs = ReferenceSet(detector) if references is None else references
    start = {"WFC": 57785.4, "HRC": 53000.0, "SBC": 55000.0}[detector] if mjd is None else float(mjd)
    asn = f"{stem}010"
    members: list[Simulation] = []
    rows: list[tuple[str, str, bool]] = []
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    number = 0
    for position in range(n_position):
        if kind == "DITHER":
            role = "EXP-DTH"
        elif n_position == 1:
            role = "EXP-CRJ" if kind == "CR-SPLIT" else "EXP-RPT"
        else:
            role = f"EXP-{codes[kind]}{position + 1}"
        for time in times:
            name = f"{stem}{letters[number // 36]}{letters[number % 36]}q"
            cards: dict[str, object] = {
                "ASN_ID": asn.upper(),
                "ASN_TAB": f"{asn}_asn.fits",
                "ASN_MTYP": role,
                "CRSPLIT": n_exposure if kind == "CR-SPLIT" else 1,
                "NRPTEXP": n_exposure if kind == "REPEAT-OBS" else 1,
                "CRCORR": "PERFORM" if kind == "CR-SPLIT" and n_exposure > 1 else "OMIT",
                "RPTCORR": "PERFORM" if kind == "REPEAT-OBS" and n_exposure > 1 else "OMIT",
                "PATTSTEP": position + 1 if n_position > 1 else 0,
            }
            if detector == "SBC":
                for key in ("CRSPLIT", "CRCORR"):
                    cards.pop(key)
            members.append(
                simulate(
                    detector, seed=_member_seed(seed, number), scene_seed=seed, exptime=time, mjd=start, rootname=name,
                    offset=(position * step[0], position * step[1]), references=refs,
                    keywords=cards | dict(keywords or {}), **options,
                )
            )  # fmt: skip
            rows.append((name, role, True))
            start += (time + 180.0) / 86400.0
            number += 1
        if kind != "DITHER":
            rows.append((f"{stem}01{letters[position + 1]}", role.replace("EXP", "PROD"), False))
    if kind == "DITHER" or n_position > 1:
        rows.append((asn, "PROD-DTH", False))
    return Association(asn, tuple(members), tuple(rows))


def _member_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(2, number)).generate_state(1)[0])
