"""Association tables: which exposures belong together, and the names of what is made of them.

Notes
-----
Rules: HSTCAL ``pkg/acs/lib/calacs/acstable.c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from calacs import fits
from calacs.errors import AssociationError, HeaderProblem, TableError
from calacs.observation import DETECTORS

COLUMNS = ("MEMNAME", "MEMTYPE", "MEMPRSNT")


@dataclass(frozen=True, slots=True)
class Member:
    """One row of an association table.

    Attributes
    ----------
    name : str
        Root name, lower case.
    mtype : str
        MEMTYPE, lower case, with a hyphen: "exp-crj", "prod-dth".
    present : bool
        MEMPRSNT.
    row : int
        Row number, from 0.
    """

    name: str
    mtype: str
    present: bool
    row: int

    @property
    def is_product(self) -> bool:
        """Whether the row stands for something that the pipeline makes."""
        return self.mtype.startswith("prod")


@dataclass(slots=True)
class Position:
    """Exposures of one pointing, in row order, and what is made of them.

    Attributes
    ----------
    number : int
        Position of the dither pattern, from 1.
    members : list of Member
        Exposures that are present.
    product : Member or None
        Row of the combined image.
    """

    number: int
    members: list[Member] = field(default_factory=list)
    product: Member | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """An association table.

    Attributes
    ----------
    path : Path
        The file.
    detector : str
        "WFC", "HRC" or "SBC".
    kind : str
        "CR" (cosmic-ray split), "RPT" (repeat observations) or "" (dither of single exposures).
    positions : tuple of Position
        Those with exposures, in order.
    dither_product : Member or None
        Row of the drizzled image, which another program makes.
    absent, ignored : tuple of Member
        Exposures that are not present, and rows that belong to no position.
    """

    path: Path
    detector: str
    kind: str
    positions: tuple[Position, ...]
    dither_product: Member | None
    absent: tuple[Member, ...]
    ignored: tuple[Member, ...]

    @property
    def root(self) -> str:
        """Root name of the association."""
        return self.path.name.split("_asn")[0]


def read(path: str | Path) -> Association:
    """Read an association table.

    Raises
    ------
    FileNotReadable, ColumnNotFound
        The file is missing or has no association table.
    HeaderProblem
        It is not an ACS association.
    TableError
        The table is empty.
    AssociationError
        Its rows contradict one another, or no exposure is present.
    """
    path = Path(path)
    table = fits.read_table(path)
    instrument, detector = table.primary.get_str("INSTRUME"), table.primary.get_str("DETECTOR")
    if not instrument.startswith("ACS"):
        raise HeaderProblem(f"{path}: INSTRUME = {instrument!r}: this is not an ACS association")
    if detector[:3] not in DETECTORS:
        raise HeaderProblem(f"{path}: DETECTOR = {detector!r} is invalid; it must be WFC, HRC or SBC")
    if table.n_row == 0:
        raise TableError(f"{path}: the association table has no rows")
    return arrange(path, detector[:3], list(_members(table, path)))


def _members(table: fits.Table, path: Path) -> Iterable[Member]:
    for column in COLUMNS:
        _ = table[column]
    for row in range(table.n_row):
        mtype = table.text("MEMTYPE", row).lower().replace("_", "-")
        if "-" not in mtype:
            raise AssociationError(
                f"{path}: row {row + 1}: MEMTYPE {mtype.upper()!r} is invalid; it must be like EXP-CRJ or PROD-DTH"
            )
        yield Member(table.text("MEMNAME", row).lower(), mtype, _is_true(table["MEMPRSNT"][row]), row)


def _is_true(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower().startswith(("1", "yes", "true"))
    return bool(cell)


def arrange(path: Path, detector: str, members: list[Member]) -> Association:
    """Sort the rows of an association table by position.

    Raises
    ------
    AssociationError
        A member is listed twice, there are two dither products, or no exposure is present.
    """
    kind = next((k for m in members for mark, k in (("-cr", "CR"), ("-rp", "RPT")) if mark in m.mtype), "")
    positions: dict[int, Position] = {}
    absent, ignored, dither = [], [], []
    n_default = 0
    seen: dict[str, Member] = {}
    products = []
    for member in members:
        if not member.is_product and member.name in seen:
            raise AssociationError(
                f"{path}: {member.name} is listed twice, in rows {seen[member.name].row + 1} and {member.row + 1}; "
                "remove one of them"
            )
        if not member.is_product:
            seen[member.name] = member
        if "prod-dth" in member.mtype:
            dither.append(member)
            continue
        if not member.is_product and not member.present:
            absent.append(member)
            continue
        number = _number(member.mtype, 2 if kind else 3)
        if number is None:
            n_default += 1
            number = n_default
        if member.is_product:
            products.append((number, member))
        elif number == 0:
            ignored.append(member)
        else:
            positions.setdefault(number, Position(number)).members.append(member)
    for number, member in products:
        if number in positions:
            positions[number].product = member
        else:
            ignored.append(member)
    if len(dither) > 1:
        raise AssociationError(f"{path}: {len(dither)} rows are PROD-DTH; an association has one dithered product")
    if not positions:
        missing = ", ".join(member.name for member in [*absent, *ignored]) or "none are listed"
        raise AssociationError(f"{path}: no exposure of the association can be processed ({missing})")
    ordered = tuple(positions[number] for number in sorted(positions))
    return Association(path, detector, kind, ordered, dither[0] if dither else None, tuple(absent), tuple(ignored))


def _number(mtype: str, index: int) -> int | None:
    """Position that a MEMTYPE names; None where it names none and the next free one is meant."""
    word = mtype.partition("-")[2]
    if word in ("crj", "rpt"):
        return 1
    if len(word) <= index or not word[index].isalnum():
        return None
    digits = re.match(r"\d+", word[index:])
    return int(digits.group()) if digits else 0


def find_exposure(folder: Path, member: Member, suffixes: Iterable[str]) -> Path | None:
    """File of a member with one of some suffixes: in a folder or the current one, plain or compressed; None if none exists."""
    for place in (folder, Path()):
        for suffix in suffixes:
            for extension in ("fits", "fits.gz"):
                path = place / f"{member.name}{suffix}.{extension}"
                if path.is_file():
                    return path
    return None


def mark_present(path: Path, members: Iterable[Member], *, create: fits.Create = fits.replacing) -> None:
    """Set MEMPRSNT of product rows, and the keyword ASN_PROD even if there are none; the table is replaced as a whole.

    Raises
    ------
    WriteFailed
        The table cannot be written; it is left as it was.
    """
    fits.set_true(path, "MEMPRSNT", [member.row for member in members], keyword="ASN_PROD", create=create)
