"""FITS headers as official CALACS keeps them: an ordered list of 80-character cards.

Products must carry the cards of the input verbatim, in order, and format changed or added cards exactly as the official
I/O layer does.  General FITS libraries normalize cards on the way, so this module holds the cards themselves.

Notes
-----
Formats and rules: HSTCAL ``hstio/keyword.c`` (values, comments, position of added cards) and ``hstio/hstio.c``
(reserved keywords).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias, overload

import numpy as np

from calacs.errors import HeaderProblem, KeywordMissing

Value: TypeAlias = bool | int | float | str

CARD = 80
_VALUE = slice(10, 30)
MAX_STRING = 68
_MAX_HISTORY = 72
_BLANK = " " * CARD

_RESERVED = re.compile(
    r"(BITPIX|BSCALE|BZERO|DATAMAX|DATAMIN|DATATYPE|DATE|EXTEND|GCOUNT|GROUPS|NAXIS\d?|ORIGIN|PCOUNT|PDTYPE\d|PSIZE\d?"
    r"|PTYPE\d|SIMPLE|XTENSION) *$"
)
_FITS_COMMENTS = (
    "COMMENT   FITS (Flexible Image Transport System) format is defined in 'Astronomy",
    "COMMENT   and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H",
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?")


def is_reserved(card: str) -> bool:
    """Whether a card describes the file's structure, which the writer makes anew, and not the exposure."""
    return _RESERVED.match(card[:8]) is not None or card.rstrip() in _FITS_COMMENTS


def _parse(card: str) -> tuple[Value | None, int]:
    """Value of a card (None where it has none) and the index of the value's last character."""
    if card[8] != "=":
        return None, 7
    text = card[10:]
    start = 10 + len(text) - len(text.lstrip(" "))
    body = card[start:]
    if body[:1] in ("T", "F"):
        return body[0] == "T", start
    if body[:1] == "'":
        end = start + 1
        while end < CARD:
            if card[end] == "'":
                if card[end + 1 : end + 2] != "'":
                    return card[start + 1 : end].replace("''", "'").rstrip(" "), end
                end += 1
            end += 1
        raise HeaderProblem(f"the string value of the card {card.rstrip()!r} has no closing quote")
    match = _NUMBER.match(body)
    if match is None:
        return None, start - 1 if body.strip() == "" else start
    number = match.group().upper().replace("D", "E")
    value: int | float = float(number) if any(c in number for c in ".E") else int(number)
    return value, start + match.end() - 1


def _comment(card: str, value_end: int) -> str:
    text = card[value_end + 1 :].lstrip(" ")
    return text[1:].lstrip(" ") if text.startswith("/") else text


def _with_comment(card: str, comment: str) -> str:
    """A card that ends with its value, completed to 80 characters."""
    card = card.ljust(30)
    if len(card) > CARD - 3:
        return card[:CARD].ljust(CARD)
    return f"{card} / {comment}"[:CARD].ljust(CARD)


def _string_text(value: str) -> str:
    return "'" + value.replace("'", "''")[:MAX_STRING].ljust(8) + "'"


def _number_text(value: bool | int | float | np.float32) -> str:
    if isinstance(value, (bool, np.bool_)):
        return ("T" if value else "F").rjust(20)
    if isinstance(value, (int, np.integer)):
        return f"{value:12d}".rjust(20)
    if isinstance(value, np.float32):
        return f"{float(value):#14.7E}".rjust(20) if math.isfinite(value) else _not_finite(float(value)).rjust(20)
    return f"{value:#20.12E}" if math.isfinite(value) else _not_finite(value).rjust(20)


def _not_finite(value: float) -> str:
    # PARITY: C prints NAN, -NAN and INF here.  Such a card is not valid FITS, but it is what the official products hold.
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return sign + ("NAN" if math.isnan(value) else "INF")


class Header:
    """User cards of one header-data unit.

    Cards that describe the file's structure (``SIMPLE``, ``NAXIS``, ``BZERO``, ``DATE``, ...) are left out: the writer
    makes them.

    Parameters
    ----------
    cards : iterable of str
        Cards in order; each is padded or cut to 80 characters.
    where : str
        What error messages call this header, for example ``x_raw.fits[SCI,1]``.
    """

    __slots__ = ("_cards", "_index", "where")

    def __init__(self, cards: Iterable[str] = (), where: str = "header") -> None:
        self._cards = [card.ljust(CARD)[:CARD] for card in cards if not is_reserved(card)]
        self._index: dict[str, int] | None = None
        self.where = where
        while self._cards and self._cards[-1] == _BLANK:
            self._cards.pop()

    @staticmethod
    def facts(cards: Iterable[str]) -> dict[str, Value]:
        """Values of all cards that have one, reserved ones included; the first of a name counts."""
        values: dict[str, Value] = {}
        for card in cards:
            if card[8:10] == "= " and not card.startswith(("HISTORY", "COMMENT")):
                value = _parse(card.ljust(CARD))[0]
                if value is not None:
                    values.setdefault(card[:8].rstrip(), value)
        return values

    def copy(self) -> Header:
        """Return an independent copy."""
        other = Header(where=self.where)
        other._cards = self._cards.copy()
        return other

    @property
    def cards(self) -> tuple[str, ...]:
        """The 80-character cards, in order."""
        return tuple(self._cards)

    @property
    def history(self) -> tuple[str, ...]:
        """Texts of the HISTORY cards, in order."""
        return tuple(card[8:].rstrip() for card in self._cards if card.startswith("HISTORY "))

    def __len__(self) -> int:
        return len(self._cards)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(card[:8].rstrip() for card in self._cards if card[8] == "="))

    def __contains__(self, keyword: object) -> bool:
        return isinstance(keyword, str) and self._find(keyword) is not None

    def __getitem__(self, keyword: str) -> Value:
        value = self.get(keyword)
        if value is None:
            if keyword == "HISTORY":
                raise KeywordMissing(f"{self.where}: HISTORY is no keyword with a value; see the attribute history")
            raise KeywordMissing(
                f"{self.where}: the keyword {keyword} is missing or has no value; add it to the header"
            )
        return value

    def __setitem__(self, keyword: str, value: Value) -> None:
        self.set(keyword, value)

    def __repr__(self) -> str:
        return f"<Header of {self.where}: {len(self._cards)} cards>"

    def __str__(self) -> str:
        return "\n".join(card.rstrip() for card in self._cards)

    def _find(self, keyword: str) -> int | None:
        if self._index is None:
            self._index = {}
            for i, card in enumerate(self._cards):
                self._index.setdefault(card[:8].rstrip(), i)
        return self._index.get(keyword)

    def replace_cards(self, cards: Iterable[str]) -> None:
        """Put other cards in place of all, reserved ones included; for headers that are changed in their file."""
        self._cards = [card.ljust(CARD)[:CARD] for card in cards]
        self._index = None

    def get(self, keyword: str, default: Value | None = None) -> Value | None:
        """Value of the first card of that name.

        Parameters
        ----------
        keyword : str
            At most 8 characters, upper case.
        default : bool, int, float or str, optional
            Value where there is no such card or it has no value.

        Returns
        -------
        bool, int, float, str or None
            Numbers with a period or an exponent are floats.
        """
        i = self._find(keyword)
        value = None if i is None else _parse(self._cards[i])[0]
        return default if value is None else value

    def comment(self, keyword: str) -> str:
        """Comment of the first card of that name."""
        i = self._find(keyword)
        if i is None:
            raise KeywordMissing(f"{self.where}: the keyword {keyword} is missing")
        return _comment(self._cards[i], _parse(self._cards[i])[1]).rstrip()

    @overload
    def get_int(self, keyword: str, default: int) -> int: ...
    @overload
    def get_int(self, keyword: str, default: None = None) -> int: ...
    def get_int(self, keyword: str, default: int | None = None) -> int:
        """Whole number; a float without fraction and a logical are accepted.

        Parameters
        ----------
        keyword : str
            At most 8 characters, upper case.
        default : int, optional
            Value where the keyword is absent or has no value.

        Raises
        ------
        KeywordMissing
            It is absent or has no value, and there is no default.
        HeaderProblem
            The value has another type.
        """
        value = self._required(keyword, default)
        if isinstance(value, str) or (isinstance(value, float) and not value.is_integer()):
            raise self._wrong_type(keyword, value, "a whole number")
        return int(value)

    @overload
    def get_float(self, keyword: str, default: float) -> float: ...
    @overload
    def get_float(self, keyword: str, default: None = None) -> float: ...
    def get_float(self, keyword: str, default: float | None = None) -> float:
        """Number.

        Parameters
        ----------
        keyword : str
            At most 8 characters, upper case.
        default : float, optional
            Value where the keyword is absent or has no value.

        Raises
        ------
        KeywordMissing
            It is absent or has no value, and there is no default.
        HeaderProblem
            The value has another type.
        """
        value = self._required(keyword, default)
        if isinstance(value, (str, bool)):
            raise self._wrong_type(keyword, value, "a number")
        return float(value)

    @overload
    def get_bool(self, keyword: str, default: bool) -> bool: ...
    @overload
    def get_bool(self, keyword: str, default: None = None) -> bool: ...
    def get_bool(self, keyword: str, default: bool | None = None) -> bool:
        """Logical (T or F).

        Parameters
        ----------
        keyword : str
            At most 8 characters, upper case.
        default : bool, optional
            Value where the keyword is absent or has no value.

        Raises
        ------
        KeywordMissing
            It is absent or has no value, and there is no default.
        HeaderProblem
            The value has another type.
        """
        value = self._required(keyword, default)
        if not isinstance(value, bool):
            raise self._wrong_type(keyword, value, "a logical (T or F)")
        return value

    @overload
    def get_str(self, keyword: str, default: str) -> str: ...
    @overload
    def get_str(self, keyword: str, default: None = None) -> str: ...
    def get_str(self, keyword: str, default: str | None = None) -> str:
        """Text without trailing blanks.

        Parameters
        ----------
        keyword : str
            At most 8 characters, upper case.
        default : str, optional
            Value where the keyword is absent or has no value.

        Raises
        ------
        KeywordMissing
            It is absent or has no value, and there is no default.
        HeaderProblem
            The value has another type.
        """
        value = self._required(keyword, default)
        if not isinstance(value, str):
            raise self._wrong_type(keyword, value, "a string")
        return value

    def _required(self, keyword: str, default: Value | None) -> Value:
        value = self.get(keyword)
        if value is not None:
            return value
        if keyword in self:
            raise HeaderProblem(f"{self.where}: {keyword} has no value; correct the header")
        return self[keyword] if default is None else default

    def _wrong_type(self, keyword: str, value: Value, wanted: str) -> HeaderProblem:
        return HeaderProblem(f"{self.where}: {keyword} = {value!r} must be {wanted}; correct the header")

    def set(self, keyword: str, value: Value | np.float32, comment: str = "") -> None:
        """Change the first card of that name, or add one after the last card that is not blank.

        Parameters
        ----------
        keyword : str
            At most 8 characters, upper case.
        value : bool, int, float, numpy.float32 or str
            A `float` makes a double card (``%#20.12E``), a `numpy.float32` a float card (``%#14.7E``).
        comment : str
            Used only when the card is new: a changed card keeps its comment.
        """
        i = self._find(keyword)
        if i is None:
            text = _string_text(value) if isinstance(value, str) else _number_text(value)
            self._append(_with_comment(f"{keyword:<8}= {text}", comment))
        elif isinstance(value, str):
            old = self._cards[i]
            kept = _comment(old, _parse(old)[1]).rstrip()
            self._cards[i] = _with_comment(f"{old[:8]}= {_string_text(value)}", kept)
        else:
            # PARITY: only the value field changes: a number never gains the slash of a comment, a string always does.
            # Column 31 is blanked by numbers, not by logicals.
            old = self._cards[i]
            after = old[30] if isinstance(value, (bool, np.bool_)) else " "
            self._cards[i] = f"{old[:8]}= {_number_text(value)}{after}{old[31:]}"

    def set_comment(self, keyword: str, comment: str) -> None:
        """Replace the comment of the first card of that name."""
        i = self._find(keyword)
        if i is None:
            raise KeywordMissing(f"{self.where}: the keyword {keyword} is missing")
        card = self._cards[i]
        self._cards[i] = _with_comment(card[: _parse(card)[1] + 1], comment)

    def insert_first(self, keyword: str, value: Value, comment: str) -> None:
        """Put a new card in front of all others."""
        self._insert(0, keyword, value, comment)

    def insert_after(self, other: str, keyword: str, value: Value, comment: str) -> None:
        """Put a new card behind the first one of the name `other`."""
        i = self._find(other)
        if i is None:
            raise KeywordMissing(f"{self.where}: the keyword {other} is missing")
        self._insert(i + 1, keyword, value, comment)

    def _insert(self, i: int, keyword: str, value: Value, comment: str) -> None:
        text = _string_text(value) if isinstance(value, str) else _number_text(value)
        self._cards.insert(i, _with_comment(f"{keyword:<8}= {text}", comment))
        self._index = None

    def remove(self, keyword: str) -> None:
        """Delete the first card of that name, if there is one."""
        i = self._find(keyword)
        if i is not None:
            del self._cards[i]
            self._index = None

    def add_history(self, text: str) -> None:
        """Add HISTORY cards after the last card that is not blank.

        Parameters
        ----------
        text : str
            What is beyond 72 characters continues on further cards.
        """
        for start in range(0, max(len(text), 1), _MAX_HISTORY):
            self._append(f"HISTORY {text[start : start + _MAX_HISTORY]}".ljust(CARD))

    def _append(self, card: str) -> None:
        end = len(self._cards)
        while end > 0 and self._cards[end - 1] == _BLANK:
            end -= 1
        if end < len(self._cards):
            self._cards[end] = card
        else:
            self._cards.append(card)
        if self._index is not None:
            self._index.setdefault(card[:8].rstrip(), end)
