"""Instrument constants of the simulator, read from ``constants.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

__all__ = ["CONSTANTS", "CYCLE24", "SM4"]


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _freeze(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(_freeze(item) for item in value)
    return value


CONSTANTS: Mapping[str, Any] = _freeze(
    tomllib.loads(files(__package__).joinpath("constants.toml").read_text(encoding="utf-8"))
)
"""Read-only tables of ``constants.toml``; each has a key ``source``."""

SM4: float = CONSTANTS["epochs"]["sm4"]
"""MJD of the fourth servicing mission: new electronics, bias shift, stripes."""

CYCLE24: float = CONSTANTS["epochs"]["cycle24"]
"""MJD of the new subarray formats."""
