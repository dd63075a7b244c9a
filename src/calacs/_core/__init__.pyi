"""The compiled modules; their functions are described in csrc/calacs.h."""

from typing import Any

def __getattr__(name: str) -> Any: ...
