"""How exposures and records look in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from calacs.dq import DQ

if TYPE_CHECKING:
    from calacs.exposure import Exposure, ImSet
    from calacs.step import StepRecord

_FACTS = (
    "TARGNAME",
    "DETECTOR",
    "APERTURE",
    "FILTER1",
    "FILTER2",
    "EXPTIME",
    "CCDAMP",
    "CCDGAIN",
    "EXPSTART",
    "CAL_VER",
)
_MANY = 1 << 20  # pixels beyond which statistics are those of a sample, so that a notebook does not wait


def _row(cells: Iterable[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f'<{tag} style="text-align: left">{cell}</{tag}>' for cell in cells) + "</tr>"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text, not escaped yet, as a table."""
    body = "".join(_row(escape(cell) for cell in row) for row in rows)
    return f"<table><thead>{_row(map(escape, heading), 'th')}</thead><tbody>{body}</tbody></table>"


def _sample(imset: ImSet) -> tuple[Any, Any, Any]:
    n_row, n_col = imset.shape
    step = max(1, int(np.ceil(np.sqrt(n_row * n_col / _MANY))))
    part = (slice(None, None, step), slice(None, None, step))
    return imset.sci[part], imset.err[part], imset.dq[part]


def _imset_rows(imsets: Iterable[ImSet]) -> Iterator[Sequence[str]]:
    for imset in imsets:
        n_row, n_col = imset.shape
        sci, err, dq = _sample(imset)
        found = int(np.bitwise_or.reduce(dq.astype(np.uint16), axis=None)) if dq.size else 0
        flags = ", ".join(str(flag.name) for flag in DQ if flag.value & found and flag.name)
        good = np.isfinite(sci) & (dq == 0)
        unit = str(imset.header["SCI"].get("BUNIT", "") or "") if "SCI" in imset.header else ""
        yield (
            str(imset.extver),
            str(imset.chip),
            f"{n_row} x {n_col}",
            unit,
            f"{float(np.median(sci[good])):.2f}" if good.any() else "",
            f"{float(np.median(err[good])):.2f}" if good.any() else "",
            f"{100.0 * float(np.mean(dq == 0)):.1f} %" if dq.size else "",
            flags,
        )


def imset_table(imsets: Iterable[ImSet]) -> str:
    """Image sets: size, medians over unflagged pixels (of a sample, where there are many), flags."""
    heading = ("image set", "chip", "rows x columns", "unit", "median SCI", "median ERR", "unflagged", "flags")
    return table(heading, _imset_rows(imsets))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, np.ndarray):
        return f"array {value.shape}" if value.size > 8 else _value(value.tolist())
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def record_table(records: Iterable[StepRecord]) -> str:
    """What each step did."""
    rows = (
        (
            record.task,
            record.name,
            record.status,
            f"{record.seconds:.2f}",
            ", ".join(record.references.values()),
            "; ".join(f"{name} {_value(value)}" for name, value in record.values.items()),
            " ".join(record.notes),
        )
        for record in records
    )
    return table(("task", "step", "status", "seconds", "references", "values", "notes"), rows)


def exposure_page(exposure: Exposure) -> str:
    """An exposure: facts of its header, image sets, and what was done."""
    primary = exposure.primary
    facts = "; ".join(f"{escape(key)} <b>{escape(str(primary.get(key)))}</b>" for key in _FACTS if key in primary)
    steps = ""
    if exposure.records:
        summary = f"<summary>{len(exposure.records)} steps done</summary>"
        steps = f"<details>{summary}{record_table(exposure.records)}</details>"
    return f"<div><b>{escape(exposure.name)}</b><br>{facts}{imset_table(exposure.imsets)}{steps}</div>"
