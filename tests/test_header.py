"""Header cards: reading, changing and adding by the official rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calacs.errors import HeaderProblem, KeywordMissing
from calacs.header import Header, is_reserved

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=68)


def one(card):
    return Header([card], where="x.fits")


def added(value, comment=""):
    header = Header()
    header.set("KEY", value, comment)
    (card,) = header.cards
    assert len(card) == 80
    return card


def changed(card, value, comment="never used"):
    header = one(card)
    header.set(card[:8].strip(), value, comment)
    (card,) = header.cards
    assert len(card) == 80
    return card


# Reading


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("                   T", True),
        ("F / logical", False),
        ("                  12", 12),
        ("-7/no blank before the slash", -7),
        ("+3", 3),
        ("                 1.5", 1.5),
        ("1.0000000E+02", 100.0),
        ("1.5D3", 1500.0),
        ("-2.5d-3 / lower case", -0.0025),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E5", 1e5),
        ("'text    '           / comment", "text"),
        ("'it''s'", "it's"),
        ("''", ""),
        ("'  leading kept'", "  leading kept"),
        ("'a / b' / c", "a / b"),
        ("'" + "x" * 68 + "'", "x" * 68),
        ("''''", "'"),
    ],
)
def test_values(text, value):
    got = one(f"KEY     = {text}").get("KEY")
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("'text    '           / comment", "comment"),
        ("'text' /comment", "comment"),
        ("                  12 / several words / and a slash", "several words / and a slash"),
        ("12", ""),
        ("'a/b'", ""),
        ("T / yes", "yes"),
    ],
)
def test_comments(text, comment):
    assert one(f"KEY     = {text}").comment("KEY") == comment


def test_the_first_card_of_a_name_counts():
    header = Header(["KEY     = 1", "OTHER   = 2", "KEY     = 3"])
    assert header.get("KEY") == 1
    header.set("KEY", 5)
    assert [card[10:30].strip() for card in header.cards] == ["5", "2", "3"]
    header.remove("KEY")
    assert header.get("KEY") == 3


def test_names_match_as_a_whole():
    header = Header(["CCDGAINX= 1", "KEY1    = 4"])
    assert "CCDGAIN" not in header
    assert "KEY" not in header
    assert "KEY1" in header
    assert 3 not in header


@pytest.mark.parametrize("card", ["COMMENT = not a value", "HISTORY   text", "KEY       12", "KEY     "])
def test_cards_without_a_value(card):
    header = one(card)
    if card.startswith("KEY"):
        assert header.get("KEY") is None
        assert header.get("KEY", 3) == 3
    else:
        assert list(header) in ([], ["COMMENT"])


def test_a_blank_value_is_a_header_problem():
    """Unlike a missing keyword it does not fall back on the default."""
    header = Header(["KEY     =                      / nothing here"], where="x.fits")
    for read in (header.get_int, header.get_float, header.get_bool, header.get_str):
        with pytest.raises(HeaderProblem, match=r"x\.fits: KEY"):
            read("KEY")
    with pytest.raises(HeaderProblem, match="no value"):
        header.get_int("KEY", 3)


def test_an_open_string_is_a_header_problem():
    with pytest.raises(HeaderProblem, match="closing quote"):
        one("KEY     = 'abc").get("KEY")


@pytest.mark.parametrize(("text", "value"), [("12", 12), ("12.0", 12), ("T", 1), ("F", 0), ("-1.2E1", -12)])
def test_whole_numbers(text, value):
    assert one(f"KEY     = {text}").get_int("KEY") == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("get_int", "1.5"),
        ("get_int", "'1'"),
        ("get_float", "'1'"),
        ("get_float", "T"),
        ("get_bool", "1"),
        ("get_bool", "'T'"),
        ("get_str", "1"),
        ("get_str", "T"),
    ],
)
def test_values_of_the_wrong_type(read, text):
    with pytest.raises(HeaderProblem, match=r"x\.fits: KEY = .* must be") as caught:
        getattr(one(f"KEY     = {text}"), read)("KEY")
    assert caught.value.status == 119


@pytest.mark.parametrize("read", ["get_int", "get_float", "get_bool", "get_str"])
def test_missing_keywords(read):
    header = one("OTHER   = 1")
    with pytest.raises(KeywordMissing, match=r"x\.fits: .*KEY") as caught:
        getattr(header, read)("KEY")
    assert caught.value.status == 117
    with pytest.raises(KeywordMissing):
        header["KEY"]
    with pytest.raises(KeywordMissing):
        header.comment("KEY")


def test_defaults():
    header = Header()
    assert header.get_int("KEY", 3) == 3
    assert header.get_float("KEY", 0.0) == 0.0
    assert header.get_str("KEY", "") == ""
    assert header.get_bool("KEY", False) is False


# Adding


@pytest.mark.parametrize(
    ("value", "comment", "card"),
    [
        (True, "logical", "KEY     =                    T / logical"),
        (False, "", "KEY     =                    F /"),
        (12, "whole", "KEY     =                   12 / whole"),
        (-7, "", "KEY     =                   -7 /"),
        (np.float32(2.02), "", "KEY     =        2.0200000E+00 /"),
        (np.float32(4.2), "", "KEY     =        4.1999998E+00 /"),
        (np.float32(-1e-10), "", "KEY     =       -1.0000000E-10 /"),
        (512.0, "double", "KEY     =   5.120000000000E+02 / double"),
        (-512.0, "", "KEY     =  -5.120000000000E+02 /"),
        (1e300, "", "KEY     =  1.000000000000E+300 /"),
        (np.float32("nan"), "", "KEY     =                  NAN /"),
        (np.float32("-inf"), "", "KEY     =                 -INF /"),
        ("abc", "text", "KEY     = 'abc     '           / text"),
        ("", "", "KEY     = '        '           /"),
        ("it's", "", "KEY     = 'it''s   '           /"),
        (
            "10.5.0 (16-Mar-2026)",
            "version number and date",
            "KEY     = '10.5.0 (16-Mar-2026)' / version number and date",
        ),
    ],
)
def test_added_cards(value, comment, card):
    assert added(value, comment) == card.ljust(80)


@pytest.mark.parametrize(
    ("n", "end"),
    [
        (18, "' / comment words"),
        (60, "' / comme"),
        (63, "' / co"),
        (64, "' / c"),
        (65, "' /"),
        (66, "'"),
        (67, "'"),
        (68, "'"),
    ],
)
def test_a_comment_stands_where_there_is_room(n, end):
    assert added("x" * n, "comment words") == ("KEY     = '" + "x" * n + end).ljust(80)


def test_strings_are_cut_at_68_characters_quotes_doubled_first():
    assert added("y" * 99) == "KEY     = '" + "y" * 68 + "'"
    assert added("'" * 50) == "KEY     = '" + "'" * 68 + "'"


def test_new_keywords_stand_at_the_end_after_history():
    header = Header(["FIRST   = 1", "HISTORY old"])
    header.set("NEW", 1)
    header.add_history("newer")
    assert [card[:8].strip() for card in header.cards] == ["FIRST", "HISTORY", "NEW", "HISTORY"]


def test_trailing_blank_cards_are_overwritten():
    header = Header(["FIRST   = 1", "", "SECOND  = 2", "", ""])
    header.set("NEW", 1)
    assert [card[:8].strip() for card in header.cards] == ["FIRST", "", "SECOND", "NEW"]


def test_insert_after():
    header = Header(["FIRST   = 1", "LAST    = 2"])
    header.insert_after("FIRST", "EXTVER", 1, "Extension version")
    assert list(header) == ["FIRST", "EXTVER", "LAST"]
    with pytest.raises(KeywordMissing, match="NONE is missing"):
        header.insert_after("NONE", "EXTVER", 1, "")


def test_history_is_no_value():
    with pytest.raises(KeywordMissing, match="attribute history"):
        Header(["HISTORY text"])["HISTORY"]


def test_insert_first():
    header = Header(["FIRST   = 1"])
    assert "EXTNAME" not in header
    header.insert_first("EXTNAME", "SCI", "Name of the extension")
    assert header.cards[0] == "EXTNAME = 'SCI     '           / Name of the extension".ljust(80)
    assert header.get("FIRST") == 1
    assert header.get("EXTNAME") == "SCI"


# Changing


@pytest.mark.parametrize(
    ("card", "value", "want"),
    [
        ("KEY     =                  1.0 / old comment", 2, "KEY     =                    2 / old comment"),
        ("KEY     =                  1.0", np.float32(2), "KEY     =        2.0000000E+00"),
        ("KEY     =                  1.0", 2.0, "KEY     =   2.000000000000E+00"),
        ("KEY     =                    T / old", False, "KEY     =                    F / old"),
        # A value at the left with its comment before column 31 loses part of that comment.
        ("KEY     = 5 / a comment that starts early", 6, "KEY     =                    6 arts early"),
        ("KEY     = 5 / short", np.float32(6), "KEY     =        6.0000000E+00"),
        # Column 31 becomes blank for numbers, and stays for logicals.
        ("KEY     = 'a string of some length' / c", 7, "KEY     =                    7 gth' / c"),
        ("KEY     = 'a string of some length' / c", True, "KEY     =                    Tngth' / c"),
        ("KEY     = 12345678901234567890123 / c", True, "KEY     =                    T123 / c"),
    ],
)
def test_changed_numbers(card, value, want):
    assert changed(card, value) == want.ljust(80)


@pytest.mark.parametrize(
    ("card", "value", "want"),
    [
        ("KEY     = 'PERFORM '           / switch", "COMPLETE", "KEY     = 'COMPLETE'           / switch"),
        ("KEY     = 'PERFORM '", "COMPLETE", "KEY     = 'COMPLETE'           /"),
        ("KEY     = 'PERFORM ' / early", "OMIT", "KEY     = 'OMIT    '           / early"),
        ("KEY     = 'PERFORM '/tight", "OMIT", "KEY     = 'OMIT    '           / tight"),
        ("KEY     = 'a''b' words without slash", "c", "KEY     = 'c       '           / words without slash"),
        ("KEY     =                    T / was logical", "c", "KEY     = 'c       '           / was logical"),
        ("KEY     = 1.5D3 / was double", "c", "KEY     = 'c       '           / was double"),
        ("KEY     = 'short   '           / " + "n" * 47, "z" * 40, "KEY     = '" + "z" * 40 + "' / " + "n" * 25),
        ("KEY     = 'short   '           / note", "z" * 68, "KEY     = '" + "z" * 68 + "'"),
    ],
)
def test_changed_strings(card, value, want):
    assert changed(card, value) == want.ljust(80)


def test_everything_else_stays_byte_for_byte():
    cards = [
        "HIERARCH ESO DET NAME = 'x'",
        "CHECKSUM= 'abc'",
        "  odd card",
        "COMMENT   words",
        "key     = 5",
        "INHERIT =                    T",
        "CONTINUE  'more'",
        "X       = 1",
    ]
    header = Header(cards)
    header.set("X", 2)
    header.add_history("done")
    assert [card.rstrip() for card in header.cards[:7]] == cards[:7]


# HISTORY


@pytest.mark.parametrize(
    ("n", "lengths"), [(0, [0]), (1, [1]), (72, [72]), (73, [72, 1]), (144, [72, 72]), (150, [72, 72, 6])]
)
def test_history_is_split_every_72_characters(n, lengths):
    header = Header()
    header.add_history("h" * n)
    assert [len(card) for card in header.cards] == [80] * len(lengths)
    assert [len(text) for text in header.history] == lengths
    assert "".join(header.history) == "h" * n


# Reserved cards


@pytest.mark.parametrize(
    "name",
    "BITPIX BSCALE BZERO DATAMAX DATAMIN DATATYPE DATE EXTEND GCOUNT GROUPS NAXIS NAXIS1 NAXIS9 ORIGIN PCOUNT PDTYPE1 "
    "PSIZE PSIZE1 PTYPE1 SIMPLE XTENSION".split(),
)
def test_reserved_cards_are_dropped(name):
    assert is_reserved(f"{name:<8}= 1".ljust(80))
    assert len(Header([f"{name:<8}= 1"])) == 0


@pytest.mark.parametrize(
    "name", "NAXIS12 DATE-OBS GROUP PTYPE EXTNAME BLANK CHECKSUM NEXTEND PDTYPE IRAF-TLM BITPIXX".split()
)
def test_other_cards_are_kept(name):
    assert len(Header([f"{name:<8}= 1"])) == 1


def test_the_comments_of_the_fits_library_are_dropped():
    lines = (
        "COMMENT   FITS (Flexible Image Transport System) format is defined in 'Astronomy",
        "COMMENT   and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H",
    )
    assert len(Header(lines)) == 0
    assert len(Header(["COMMENT   FITS (Flexible Image Transport System) format"])) == 1


# Properties


@given(TEXT)
def test_strings_come_back(text):
    header = Header()
    header.set("KEY", text)
    kept = text
    while len(kept.replace("'", "''")) > 68:
        kept = kept[:-1]
    if len(text.replace("'", "''")) <= 68:
        assert header.get("KEY") == text.rstrip(" ")
        header.set("KEY", "x")
        header.set("KEY", text)
        assert header.get("KEY") == text.rstrip(" ")


@given(st.integers(-(10**11), 10**12 - 1), st.integers(-(10**11), 10**12 - 1))
def test_whole_numbers_come_back(first, second):
    header = Header()
    header.set("KEY", first, "comment")
    assert header.get("KEY") == first
    header.set("KEY", second)
    assert header.get("KEY") == second
    assert header.comment("KEY") == "comment"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_come_back_to_13_digits(value):
    header = Header()
    header.set("KEY", value)
    assert header.get_float("KEY") == float(f"{value:.12E}")
    again = header.cards
    header.set("KEY", header.get_float("KEY"))
    assert header.cards == again


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_come_back_to_8_digits(value):
    header = Header()
    header.set("KEY", np.float32(value))
    assert header.get_float("KEY") == float(f"{value:.7E}")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80), TEXT, st.booleans())
def test_changing_a_card_keeps_its_comment(comment, text, numeric):
    header = Header()
    header.set("KEY", 1 if numeric else "x", comment.strip())
    before = header.comment("KEY")
    header.set("KEY", 2 if numeric else text[:8].replace("'", "-"))
    assert header.comment("KEY") == before


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=85), max_size=6))
def test_any_cards_can_be_held(lines):
    header = Header(lines)
    assert all(len(card) == 80 for card in header.cards)
    copy = header.copy()
    copy.set("NEW", 1)
    assert "NEW" in copy
    assert len(copy) == len(header) + ("NEW" not in header)
    assert header.cards == Header(header.cards).cards


def test_copies_are_independent():
    header = Header(["KEY     = 1"])
    copy = header.copy()
    copy.set("KEY", 2)
    copy.set("NEW", 2)
    assert header.get("KEY") == 1
    assert "NEW" not in header


def test_facts_see_reserved_cards():
    cards = ["BITPIX  =                   16", "NAXIS   = 2", "BITPIX  = 8", "COMMENT = 5", "BLANKED ="]
    assert Header.facts(cards)["BITPIX"] == 16
    assert "BLANKED" not in Header.facts(cards)


def test_it_shows_itself():
    header = Header(["KEY     = 1", "OTHER   = 'a'"], where="x.fits[SCI,1]")
    assert repr(header) == "<Header of x.fits[SCI,1]: 2 cards>"
    assert str(header) == "KEY     = 1\nOTHER   = 'a'"
    assert list(header) == ["KEY", "OTHER"]
    header["KEY"] = 7
    assert header["KEY"] == 7
