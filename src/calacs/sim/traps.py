"""Traps of the charge transfer, and their table (PCTETAB)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .constants import CONSTANTS
from .files import Column, Hdu, card, image_hdu, table_hdu
from .reference_kinds import KINDS, Content

__all__ = ["cte_profile", "transfer_table"]


def cte_profile(kind: str, seed: int, version: int) -> dict[str, NDArray[Any]]:
    """Return the trap profile of one direction.

    Parameters
    ----------
    kind : {"parallel", "serial"}
    seed, version : int
        The scatter of the columns follows from them.

    Returns
    -------
    dict
        ``level`` (9999, electron), ``charge`` (9999, electron), ``scale`` (4, 8192), ``release`` and
        ``remaining`` (9999, 100).

    Notes
    -----
    The number of traps that a packet of q electrons meets grows like the square root of q.
    """
    table = CONSTANTS["cte"]
    own = table[kind]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, list(KINDS).index("PCTETAB"), version)))
    n_level, n_tail = 9999, 100
    w = np.arange(1, n_level + 1, dtype=float)
    level = np.minimum(np.floor((w / own["per_root_electron"]) ** 2), 999999.0).astype(np.int32)
    k = np.arange(1, n_tail + 1, dtype=float)
    speed = 1.0 + 0.5 * np.exp(-w / 300.0)[:, None]
    release = np.exp(-k / (2.0 * speed)) + 0.25 * np.exp(-k / 12.0)
    release[:, own["length"] :] = 0.0
    release /= release.sum(axis=1, keepdims=True)
    remaining = 1.0 - np.cumsum(release, axis=1)
    remaining[remaining < 1e-7] = 0.0
    scale = 1.0 + table["scatter"] * rng.standard_normal((4, 8192))
    return {
        "level": level,
        "charge": np.ones(n_level, np.float32),
        "scale": scale.astype(np.float32),
        "release": release.astype(np.float32),
        "remaining": remaining.astype(np.float32),
    }


def transfer_table(seed: int, generation: int) -> Content:
    """Return the content of a PCTETAB of generation 2 or 3."""
    table = CONSTANTS["cte"]
    common = [
        card("PCTERNOI", table["read_noise"], "read noise of the smoothing (electrons)"),
        card("PCTENSMD", 0, "read noise model"),
        card("PCTETRSH", table["threshold"], "over-subtraction threshold"),
        card("FIXROCR", 1, "fix readout cosmic rays"),
    ]
    if generation == 2:
        cards = [card("NEXTEND", 4), card("CTE_NAME", "PixelCTE 2017"), card("CTE_VER", "1.2"), *common]
        return [*cards, *_direction_cards("parallel")], _extensions("parallel", seed, 1, [])
    hdus: list[Hdu] = []
    for version, (kind, amp) in enumerate(
        (("parallel", ""), ("serial", "A"), ("serial", "B"), ("serial", "C"), ("serial", "D")), 1
    ):
        cards = [*_direction_cards(kind), *([card("CCDAMP", amp)] if amp else [])]
        hdus += _extensions(kind, seed, version, cards)
    cards = [card("NEXTEND", 20), card("CTE_NAME", "Par/Serial PixelCTE 2023"), card("CTE_VER", "3.0"), *common]
    return cards, hdus


def _extensions(kind: str, seed: int, version: int, cards: list[str]) -> list[Hdu]:
    values = cte_profile(kind, seed, version)
    n_level, n_column = values["level"].size, values["scale"].shape[1]
    qprof = table_hdu(
        [
            Column("W", "I", np.arange(1, n_level + 1)),
            Column("QLEV_Q", "J", values["level"]),
            Column("DPDE_W", "E", values["charge"]),
            Column("DESCRIP", "20A", ["simulated"] * n_level),
        ],
        cards, "QPROF", version,
    )  # fmt: skip
    nodes = ("SENS_0512", "SENS_1024", "SENS_1536", "SENS_2048")
    scale = table_hdu(
        [
            Column("IZ", "I", np.arange(n_column)),
            *(Column(node, "E", values["scale"][index]) for index, node in enumerate(nodes)),
            Column("DESCRIP", "20A", ["simulated"] * n_column),
        ],
        cards, "SCLBYCOL", version,
    )  # fmt: skip
    # The first axis of the images is the level, the second the distance from the capture.
    return [
        qprof,
        scale,
        image_hdu(values["release"].T, cards, "RPROF", version),
        image_hdu(values["remaining"].T, cards, "CPROF", version),
    ]


def _direction_cards(kind: str) -> list[str]:
    table = CONSTANTS["cte"]
    return [
        card("CTEDATE0", table["date0"], "date of instrument installation (MJD)"),
        card("CTEDATE1", table["date1"], "date of the model (MJD)"),
        card("PCTETLEN", table[kind]["length"], "length of the trail"),
        card("PCTENFOR", table[kind]["n_forward"], "iterations of the inversion"),
        card("PCTENPAR", table[kind]["n_parallel"], "steps of a transfer"),
    ]
