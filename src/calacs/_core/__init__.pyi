"""The compiled modules; their functions are described in csrc/calacs.h.

Arrays are C-contiguous and of native byte order; stubs do not say which are read-only, and which dimensions they have.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.int16]
Doubles: TypeAlias = NDArray[np.float64]
Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int32]
Real: TypeAlias = float | np.float32
