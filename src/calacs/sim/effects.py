"""What can happen to an exposure, and the random numbers of each effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

__all__ = ["ALL_EFFECTS", "DEFAULT_EFFECTS", "Streams", "choose"]

# The order numbers the random streams: append only.
ALL_EFFECTS = (
    "flat", "delta_flat", "spots", "shading", "dark", "flash", "poisson", "cosmic_rays", "full_well", "cte", "sink",
    "stripes", "crosstalk", "bias_shift", "bias_level", "read_noise", "bias_structure", "nonlinearity",
)  # fmt: skip
"""Everything that can happen to an exposure, in the order in which it happens."""

DEFAULT_EFFECTS: Mapping[str, frozenset[str]] = {
    "WFC": frozenset(ALL_EFFECTS) - {"delta_flat", "spots", "shading", "cte", "nonlinearity"},
    "HRC": frozenset(ALL_EFFECTS)
    - {"delta_flat", "spots", "shading", "cte", "sink", "flash", "stripes", "crosstalk", "bias_shift", "nonlinearity"},
    "SBC": frozenset({"flat", "poisson", "nonlinearity"}),
}
"""Effects that are on by default, by detector."""

_POSSIBLE: Mapping[str, frozenset[str]] = {
    "WFC": frozenset(ALL_EFFECTS) - {"spots", "nonlinearity"},
    "HRC": frozenset(ALL_EFFECTS) - {"flash", "cte", "sink", "stripes", "crosstalk", "bias_shift", "nonlinearity"},
    "SBC": frozenset({"flat", "delta_flat", "dark", "poisson", "nonlinearity"}),
}


def choose(detector: str, chosen: Iterable[str] | str | None) -> frozenset[str]:
    """Return the effects that a caller asks for; None: the default of the detector, "all": all possible ones."""
    if chosen is None:
        return DEFAULT_EFFECTS[detector]
    names = _POSSIBLE[detector] if chosen == "all" else frozenset({chosen} if isinstance(chosen, str) else chosen)
    unknown = names - set(ALL_EFFECTS)
    if unknown:
        raise ValueError(f"unknown effects {sorted(unknown)}; known: {', '.join(ALL_EFFECTS)}")
    impossible = names - _POSSIBLE[detector]
    if impossible:
        possible = ", ".join(sorted(_POSSIBLE[detector]))
        raise ValueError(f"{detector} has no {', '.join(sorted(impossible))}; it has {possible}")
    return names


class Streams:
    """Random numbers by effect: switching one effect off leaves those of the others as they are."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, effect: str, part: int = 0) -> np.random.Generator:
        """Start the stream of an effect; `part` tells chips apart."""
        key = (3, 0, part) if effect == "scene" else (0, ALL_EFFECTS.index(effect), part)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
