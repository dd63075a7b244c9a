"""Association tables: roles, positions, products, errors, and the marks of products."""

import os
import stat

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given
from hypothesis import strategies as st

import small
from calacs import association
from calacs.association import Member, arrange
from calacs.errors import (
    AssociationError,
    ColumnNotFound,
    FileNotReadable,
    HeaderProblem,
    KeywordMissing,
    TableError,
    WriteFailed,
)
from helpers import digest, units


def read(tmp_path, rows, detector="HRC"):
    return association.read(small.write_association(tmp_path / "j1_asn.fits", rows, detector))


def layout(table):
    """Members and product of each position."""
    return [
        (one.number, [member.name for member in one.members], one.product and one.product.name)
        for one in table.positions
    ]


# ---- roles


@pytest.mark.parametrize(
    ("types", "kind", "positions"),
    [
        (["EXP-CRJ", "EXP-CRJ", "PROD-CRJ"], "CR", [(1, "ab", "c")]),
        (["EXP-CR1", "EXP-CR1", "PROD-CR1", "EXP-CR2", "EXP-CR2", "PROD-CR2"], "CR", [(1, "ab", "c"), (2, "de", "f")]),
        (["EXP-RPT", "EXP-RPT", "PROD-RPT"], "RPT", [(1, "ab", "c")]),
        (["EXP-RP1", "PROD-RP1", "EXP-RP2", "PROD-RP2"], "RPT", [(1, "a", "b"), (2, "c", "d")]),
        (["EXP-DTH", "EXP-DTH", "EXP-DTH"], "", [(1, "a", None), (2, "b", None), (3, "c", None)]),
        (["EXP-CR12", "EXP-CR12", "PROD-CR12"], "CR", [(12, "ab", "c")]),
        (["PROD-CR2", "EXP-CR2", "PROD-CR1", "EXP-CR1"], "CR", [(1, "d", "c"), (2, "b", "a")]),
        (["exp-crj", "Exp-Crj", "prod-crj"], "CR", [(1, "ab", "c")]),
        (["EXP_CRJ", "EXP_CRJ", "PROD_CRJ"], "CR", [(1, "ab", "c")]),
        (["EXP-ABC1", "EXP-ABC2"], "", [(1, "a", None), (2, "b", None)]),
    ],
)
def test_roles_give_positions(tmp_path, types, kind, positions):
    names = "abcdefgh"[: len(types)]
    table = read(tmp_path, [(name, mtype, "EXP" in mtype.upper()) for name, mtype in zip(names, types, strict=True)])
    assert table.kind == kind
    assert layout(table) == [(number, list(members), product) for number, members, product in positions]
    assert (table.detector, table.root, table.dither_product) == ("HRC", "j1", None)


def test_gaps_between_positions_are_closed(tmp_path):
    table = read(tmp_path, [("a", "EXP-CR2", True), ("b", "EXP-CR7", True), ("p", "PROD-CR7", False)])
    assert layout(table) == [(2, ["a"], None), (7, ["b"], "p")]


def test_the_first_kind_counts(tmp_path):
    table = read(tmp_path, [("a", "EXP-RPT", True), ("b", "EXP-CRJ", True), ("c", "EXP-CRJ", True)])
    assert table.kind == "RPT"
    assert layout(table) == [(1, ["a", "b", "c"], None)]


def test_dithered_product(tmp_path):
    table = read(tmp_path, [("a", "EXP-DTH", True), ("b", "EXP-DTH", True), ("p", "PROD-DTH", False)])
    assert table.dither_product == Member("p", "prod-dth", False, 2)
    assert table.dither_product.is_product
    assert not table.positions[0].members[0].is_product


def test_absent_members_are_left_out(tmp_path):
    rows = [("a", "EXP-CR1", True), ("b", "EXP-CR1", False), ("p", "PROD-CR1", False), ("c", "EXP-CR2", False)]
    table = read(tmp_path, [*rows, ("q", "PROD-CR2", False)])
    assert layout(table) == [(1, ["a"], "p")]
    assert [member.name for member in table.absent] == ["b", "c"]
    assert [member.name for member in table.ignored] == ["q"]


def test_an_absent_exposure_of_a_dither_leaves_no_gap(tmp_path):
    table = read(tmp_path, [("a", "EXP-DTH", False), ("b", "EXP-DTH", True), ("c", "EXP-DTH", True)])
    assert layout(table) == [(1, ["b"], None), (2, ["c"], None)]


def test_rows_without_position_are_ignored(tmp_path):
    rows = [("a", "EXP-CR1", True), ("b", "EXP-DTH", True), ("c", "EXP-CR0", True), ("p", "PROD-CR1", True)]
    table = read(tmp_path, rows)
    assert layout(table) == [(1, ["a"], "p")]
    assert [member.name for member in table.ignored] == ["b", "c"]


def test_names_are_lower_case_without_blanks(tmp_path):
    table = read(tmp_path, [("JABC01AAQ  ", "EXP-CRJ ", True)])
    assert table.positions[0].members == [Member("jabc01aaq", "exp-crj", True, 0)]


@pytest.mark.parametrize(
    ("kind", "cells", "present"),
    [
        ("J", [1, 0, 7], [True, False, True]),
        ("I", [1, 0, 2], [True, False, True]),
        ("3A", ["yes", "no", "T"], [True, False, False]),
        ("4A", ["true", "f", "1"], [True, False, True]),
    ],
)
def test_presence_as_number_or_text(tmp_path, kind, cells, present):
    path = write_table(tmp_path, MEMPRSNT=(kind, cells))
    table = association.read(path)
    assert [member.present for member in [*table.positions[0].members, *table.absent]] == sorted(present)[::-1]
    association.mark_present(path, [Member("x", "exp-crj", False, 1)])
    again = association.read(path)
    assert "b" in [member.name for member in again.positions[0].members]


def write_table(folder, instrument="ACS", detector="HRC", **changes):
    """An association of three exposures with other columns, or without some (None)."""
    columns = {
        "MEMNAME": ("14A", ["a", "b", "c"]),
        "MEMTYPE": ("14A", ["EXP-CRJ"] * 3),
        "MEMPRSNT": ("L", [True, True, True]),
        "XOFFSET": ("E", [0.5, 1.5, 2.5]),
    }
    columns |= changes
    table = astropy_fits.BinTableHDU.from_columns(
        [astropy_fits.Column(name, *([kind]), array=np.array(cells)) for name, (kind, cells) in columns.items() if kind]
    )
    primary = astropy_fits.PrimaryHDU()
    for keyword, value in (("INSTRUME", instrument), ("DETECTOR", detector)):
        if value is not None:
            primary.header[keyword] = value
    path = folder / "x_asn.fits"
    astropy_fits.HDUList([primary, table]).writeto(path)
    return path


# ---- errors


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([("a", "EXP", True)], "row 1: MEMTYPE 'EXP' is invalid"),
        ([("a", "EXP-CRJ", True), ("A", "EXP-CRJ", True)], "a is listed twice, in rows 1 and 2"),
        ([("a", "EXP-CR1", True), ("b", "EXP-CR2", True), ("a", "EXP-CR2", False)], "twice, in rows 1 and 3"),
        ([("a", "EXP-DTH", True), ("p", "PROD-DTH", False), ("q", "PROD-DTH", False)], "2 rows are PROD-DTH"),
        ([("a", "EXP-CRJ", False), ("p", "PROD-CRJ", False)], r"no exposure .* can be processed \(a, p\)"),
        ([("p", "PROD-DTH", False)], "none are listed"),
        ([("a", "EXP-RPT1", True), ("b", "EXP-RPT1", True)], r"no exposure .* \(a, b\)"),
    ],
)
def test_contradictions_are_refused(tmp_path, rows, text):
    with pytest.raises(AssociationError, match=text) as caught:
        read(tmp_path, rows)
    assert caught.value.status == 2
    assert "j1_asn.fits" in str(caught.value)


def test_a_table_without_rows_is_refused(tmp_path):
    path = write_table(
        tmp_path, **dict.fromkeys(("MEMNAME", "MEMTYPE"), ("14A", [])), MEMPRSNT=("L", []), XOFFSET=(None, None)
    )
    with pytest.raises(TableError, match="no rows") as caught:
        association.read(path)
    assert caught.value.status == 141


@pytest.mark.parametrize("column", association.COLUMNS)
def test_a_missing_column_is_refused(tmp_path, column):
    with pytest.raises(ColumnNotFound, match=column) as caught:
        association.read(write_table(tmp_path, **{column: (None, None)}))
    assert caught.value.status == 142


@pytest.mark.parametrize(
    ("header", "error", "text"),
    [
        ({"instrument": "WFC3"}, HeaderProblem, "not an ACS association"),
        ({"detector": "UVIS"}, HeaderProblem, "DETECTOR = 'UVIS'"),
        ({"instrument": None}, KeywordMissing, "INSTRUME"),
        ({"detector": None}, KeywordMissing, "DETECTOR"),
    ],
)
def test_other_headers_are_refused(tmp_path, header, error, text):
    with pytest.raises(error, match=text):
        association.read(write_table(tmp_path, **header))


def test_files_that_are_no_table_are_refused(tmp_path):
    path = tmp_path / "x_asn.fits"
    with pytest.raises(FileNotReadable, match="x_asn.fits"):
        association.read(path)
    path.write_text("not FITS")
    with pytest.raises(FileNotReadable):
        association.read(path)
    path.unlink()
    astropy_fits.PrimaryHDU().writeto(path)
    with pytest.raises(TableError):
        association.read(path)


# ---- marks


def test_only_the_cells_and_the_keyword_change(tmp_path):
    path = write_table(tmp_path, MEMPRSNT=("L", [False, False, False]))
    with astropy_fits.open(path, mode="update") as hdus:
        hdus[0].header["ASN_PROD"] = (False, "product created")
        hdus[0].header["HISTORY"] = "kept"
        hdus.append(astropy_fits.ImageHDU(np.arange(5, dtype=np.int16), name="MORE"))
    before = units(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    association.mark_present(path, [Member("c", "prod-crj", False, 2)])
    after = units(path)
    changed = [
        (number, one, other)
        for number, (old, new) in enumerate(zip(before, after, strict=True))
        for one, other in zip(old[0], new[0], strict=True)
        if one != other
    ]
    assert [(number, card[:8], card[29]) for number, _, card in changed] == [(0, "ASN_PROD", "T")]
    differ = [i for i, (a, b) in enumerate(zip(before[1][1], after[1][1], strict=True)) if a != b]
    assert len(differ) == 1
    assert after[1][1][differ[0] : differ[0] + 1] == b"T"
    assert before[2] == after[2]
    with astropy_fits.open(path) as hdus:
        assert hdus[1].data["MEMPRSNT"].tolist() == [False, False, True]
        assert hdus[1].data["XOFFSET"].tolist() == [0.5, 1.5, 2.5]
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o444])
def test_permissions_stay(tmp_path, mode):
    path = write_table(tmp_path)
    path.chmod(mode)
    association.mark_present(path, [Member("a", "prod-crj", False, 0)])
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="links need privileges")
def test_a_table_elsewhere_is_not_touched(tmp_path):
    (tmp_path / "archive").mkdir()
    path = write_table(tmp_path / "archive", MEMPRSNT=("L", [False, True, True]))
    before = digest(path)
    link = tmp_path / "x_asn.fits"
    link.symlink_to(path)
    association.mark_present(link, [Member("a", "prod-crj", False, 0)])
    assert digest(path) == before
    assert astropy_fits.getval(link, "ASN_PROD") is True


def test_the_keyword_is_added_and_marks_are_idempotent(tmp_path):
    path = write_table(tmp_path)
    association.mark_present(path, [])
    assert astropy_fits.getval(path, "ASN_PROD") is True
    first = digest(path)
    association.mark_present(path, [Member("a", "prod-crj", True, 0)])
    assert digest(path) == first


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions bind users only")
def test_a_folder_that_cannot_be_written_leaves_the_table(tmp_path):
    path = write_table(tmp_path)
    before = digest(path)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WriteFailed):
            association.mark_present(path, [Member("a", "prod-crj", False, 0)])
    finally:
        tmp_path.chmod(0o700)
    assert digest(path) == before


# ---- properties

ROWS = st.lists(st.tuples(st.sampled_from(["exp", "prod"]), st.integers(0, 4), st.booleans()), min_size=1, max_size=12)


@given(ROWS, st.randoms())
def test_the_order_of_positions_and_products_does_not_matter(rows, random):
    members = [Member(f"m{i}", f"{role}-cr{number}", present, i) for i, (role, number, present) in enumerate(rows)]
    products = {}
    for member in members:
        if member.is_product:
            products[member.mtype] = member  # one for each position
    members = [member for member in members if not member.is_product] + list(products.values())
    shuffled = members.copy()
    random.shuffle(shuffled)

    def outcome(listed):
        try:
            table = arrange("x_asn.fits", "HRC", listed)
        except AssociationError:
            return None
        return [(one.number, {m.name for m in one.members}, one.product) for one in table.positions]

    assert outcome(members) == outcome(shuffled)


@given(ROWS)
def test_every_row_is_somewhere(rows):
    members = [Member(f"m{i}", f"{role}-cr{number}", present, i) for i, (role, number, present) in enumerate(rows)]
    try:
        table = arrange("x_asn.fits", "HRC", members)
    except AssociationError:
        assert not any(not m.is_product and m.present and m.mtype != "exp-cr0" for m in members)
        return
    placed = [m for one in table.positions for m in one.members]
    kept = [one.product for one in table.positions if one.product]
    exposures = [m for m in members if not m.is_product]
    assert sorted(m.row for m in [*placed, *table.absent, *(i for i in table.ignored if not i.is_product)]) == [
        m.row for m in exposures
    ]
    assert all(m.present for m in placed)
    assert {m.mtype for m in kept} <= {m.mtype for m in members if m.is_product}
    assert [one.number for one in table.positions] == sorted({int(m.mtype[-1]) for m in placed})
