"""Small things that several test modules need."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 2880


def same_bits(first, second):
    """Whether two arrays have the same shape, type and bytes."""
    first, second = np.asarray(first), np.asarray(second)
    return first.shape == second.shape and first.dtype == second.dtype and first.tobytes() == second.tobytes()


def same_values(first, second):
    """Like `same_bits`, but any value that is not a number equals any other."""
    first, second = np.asarray(first), np.asarray(second)
    if first.dtype.kind == "f" and first.shape == second.shape:
        first, second = (np.where(np.isnan(array), np.nan, array).astype(array.dtype) for array in (first, second))
    return same_bits(first, second)


def read_only(*arrays):
    """Copies that nobody can write to."""
    copies = [array.copy() for array in arrays]
    for copy in copies:
        copy.setflags(write=False)
    return copies


def at_once(n, call, *, repeat=4):
    """Results of the same call made `repeat` times on `n` threads."""
    with ThreadPoolExecutor(n) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(repeat)]]


def units(path):
    """[(cards, data bytes)] of every header-data unit of a file; cards without END, data without padding."""
    raw = Path(path).read_bytes()
    found, position = [], 0
    while position < len(raw):
        cards = []
        while True:
            card = raw[position : position + 80].decode("latin-1")
            position += 80
            if card.startswith("END     "):
                break
            cards.append(card)
        position += -position % BLOCK
        values = {card[:8].rstrip(): card[10:30].strip() for card in cards if card[8:10] == "= "}
        size = abs(int(values["BITPIX"])) // 8
        for axis in range(1, int(values["NAXIS"]) + 1):
            size *= int(values[f"NAXIS{axis}"])
        if values["NAXIS"] == "0":
            size = 0
        found.append((cards, raw[position : position + size]))
        position += size + -size % BLOCK
    assert position == len(raw), "the file must end with a whole block"
    return found


def find_card(cards, keyword):
    """The first card of that name."""
    return next(card for card in cards if card[:8].rstrip() == keyword)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@contextmanager
def nothing_changes(*folders):
    """No file of the folders appears, vanishes or changes in the block."""

    def state():
        return {path: digest(path) for folder in folders for path in sorted(Path(folder).rglob("*")) if path.is_file()}

    before = state()
    yield
    assert state() == before


def same_exposure(first, second, *, ignore=("FILENAME",)):
    """Whether two exposures have the same bits and cards."""

    def cards(header):
        return [card for card in header.cards if card[:8].rstrip() not in ignore]

    return cards(first.primary) == cards(second.primary) and all(
        a.header[plane].cards == b.header[plane].cards and same_bits(a.plane(plane), b.plane(plane))
        for a, b in zip(first, second, strict=True)
        for plane in ("SCI", "ERR", "DQ")
    )
