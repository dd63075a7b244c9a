"""Charge-transfer efficiency: wrappers of csrc/cte*.c.  Images are float32 (n_col, n_row), row 0 next to the register."""

from calacs._core import Bytes, Doubles, Floats, Ints

ISA: dict[str, int]

def resolve_isa(isa: int) -> int: ...
def make_plan(
    charge: Doubles,
    capture: Doubles,
    release: Floats,
    held: Floats,
    n_transfer: int,
    n_iteration: int,
    read_noise: float,
    fix_cosmic_rays: bool,
    oversubtraction: float,
    isa: int,
) -> Doubles: ...
def traps(index: Ints, node: Doubles, first: int, fraction: float, result: Floats, covered: Bytes) -> None: ...
def smooth(
    observed: Floats,
    start: Floats,
    col_first: int,
    col_last: int,
    read_noise: float,
    isa: int,
    result: Floats,
    square: Doubles,
    count: Doubles,
) -> None: ...
def smooth_rms(observed: Floats, smooth: Floats) -> tuple[float, float]: ...
def forward(plan: Doubles, image: Floats, traps: Floats, col_first: int, col_last: int, result: Floats) -> None: ...
def inverse(
    plan: Doubles, image: Floats, traps: Floats, col_first: int, col_last: int, result: Floats, n_run: Ints
) -> None: ...
def gather(plane: Floats, image: Floats) -> None: ...
def combine(restored: Floats, smooth: Floats, sci: Floats, err: Floats) -> None: ...
