"""What text cells mean: missing values, numbers, dates and times."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time

MISSING = frozenset({
    "", "?", ".", "-", "--", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN",
    "NULL", "null", "Null", "None",
})  # fmt: skip

# A number with what people put around it: a currency, per cent, spaces; thousands may be apart.
# No part gives back what it took: a cell of 10**5 blanks or currencies would take minutes.
AROUND = re.compile(r"([+-]?)[$€£¥\s]*(?![$€£¥\s])((?:.*[^$€£¥%\s])?)[$€£¥%\s]*")
APART = re.compile(r"(?<=\d)[\s'’](?=\d{3}(?!\d))")
_POINT = re.compile(r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?([1-9]\d{0,2}(\.\d{3})+|\d+)?(,\d*)?([eE][+-]?\d+)?")
ADORNED = {"point": (_POINT, ","), "comma": (_COMMA, ".")}  # form, and what sets thousands apart


def is_missing(cell: str) -> bool:
    """Return whether a cell stands for a missing value."""
    return cell.strip() in MISSING


def cell_of(value: object) -> str:
    """Return a value of JSON, a spreadsheet, a database or a DataFrame as the text of a cell."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)


def plain_number(cell: str) -> float:
    """Return the number of a cell, NaN if it is none. Python's float takes 1_000 and 'nan' too."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


def number_with_point(cell: str) -> float:
    """Return the number of a cell such as "$84,835.00", "12 %" or "(3.5)"; NaN if it is none."""
    return _adorned(cell, *ADORNED["point"])


def number_with_comma(cell: str) -> float:
    """Return the number of a cell such as "1.234,5 €"; NaN if it is none."""
    return _adorned(cell, *ADORNED["comma"])


def _adorned(cell: str, form: re.Pattern[str], thousands: str) -> float:
    around = AROUND.fullmatch(cell.strip())
    bare = APART.sub("", around[1] + around[2]) if around else ""
    if bare.startswith("(") and bare.endswith(")"):  # a negative amount in bookkeeping
        bare = "-" + bare[1:-1]
    if not form.fullmatch(bare):
        return math.nan
    return plain_number(bare.replace(thousands, "").replace(",", "."))


NUMBERS: dict[str, Callable[[str], float]] = {
    "plain": plain_number,
    "point": number_with_point,
    "comma": number_with_comma,
}

_DATES = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d-%b-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%m/%y", "%m/%d/%y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
DATE_FORMATS = ("iso", "time", *(date + time for date in _DATES for time in _TIMES))
# Characters and words that a cell of a format has at least, so that few formats are tried: strptime
# keeps the patterns of five, and builds those of the others anew at each call.
_MARKS = {form: frozenset(re.sub(r"%.|\s|\w", "", form)) for form in DATE_FORMATS}
_WORDS = {form: len(form.split()) for form in DATE_FORMATS}


def parse_date(cell: str, form: str) -> datetime | None:
    """Return the moment that a cell describes, in UTC, or None if it does not have the form.

    Parameters
    ----------
    cell : str
    form : str
        Of `DATE_FORMATS`: "iso" (ISO 8601), "time" (of an unknown day), or a format of
        `datetime.strptime`.
    """
    if not _MARKS[form].issubset(cell) or len(cell.split()) < _WORDS[form]:
        return None
    try:
        if form == "time":
            return datetime.combine(datetime(1970, 1, 1), time.fromisoformat(cell), UTC)
        read = datetime.fromisoformat(cell) if form == "iso" else datetime.strptime(cell, form)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def date_format(cells: Iterable[str]) -> str | None:
    """Return the first format that all cells have, or None."""
    forms = list(DATE_FORMATS)
    for cell in cells:
        forms = [form for form in forms if parse_date(cell, form) is not None]
        if not forms:
            return None
    return forms[0] if len(forms) < len(DATE_FORMATS) else None
