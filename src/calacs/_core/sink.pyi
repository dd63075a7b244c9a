"""Sink pixels: wrapper of csrc/sink.c."""

from calacs._core import Flags, Floats

def flag(sci: Floats, dq: Flags, map: Floats, upward: bool, flag: int) -> int: ...
