"""What columns become as inputs, and labels of a column."""

import io
import json
import math
import time
from datetime import UTC, datetime

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune.tables import _cells, find_target, is_amount, known_target, read_target


def table_of(**columns):
    return sn.Table({name: np.array(cells, object) for name, cells in columns.items()})


def fitted(**columns):
    table = table_of(**columns)
    return sn.TableEncoder.fit(table), table


def column(encoder, table, name):
    return encoder.transform(table)[:, encoder.input_names.index(name)].tolist()


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2.5", "-3e2", " 4 "], [1, 2.5, -300, 4]),
        (["12%", "3.5 %", "0%"], [12, 3.5, 0]),
        (["$84,835.00", "$1.5", "-$2"], [84835, 1.5, -2]),
        (["1,234", "12,345,678", "5"], [1234, 12345678, 5]),
        (["1.234,5", "2,25", "7"], [1234.5, 2.25, 7]),
        (["1,5 €", "0,123", "2"], [1.5, 0.123, 2]),
        (["1 234", "5", "6 000"], [1234, 5, 6000]),
        (["(3.5)", "2", "1"], [-3.5, 2, 1]),
        (["0,123", "0,5", "1,25"], [0.123, 0.5, 1.25]),
    ],
)
def test_numbers_as_people_write_them(cells, values):
    encoder, table = fitted(a=cells)
    assert encoder.input_names == ("a",)
    np.testing.assert_array_equal(encoder.transform(table)[:, 0], np.float32(values))


def test_missing_numbers_become_the_median_and_are_told():
    marks = ["", "?", "NA", "NaN", "nan", "null", "None", "-", "N/A", "#N/A"]
    encoder, table = fitted(a=["1", "2", "9", *marks])
    assert encoder.input_names == ("a", "a is missing")
    assert encoder.transform(table).tolist() == [[1, 0], [2, 0], [9, 0], *[[2, 1]] * len(marks)]


def test_one_gap_has_no_input_of_its_own():
    encoder, table = fitted(a=["1", "2", "9", ""])
    assert encoder.transform(table).tolist() == [[1], [2], [9], [2]]


def test_infinity_and_a_few_words_among_numbers_count_as_missing():
    cells = [str(i / 4) for i in range(100)]
    for odd in ("inf", "unknown"):
        encoder, table = fitted(a=[odd, *cells])
        assert column(encoder, table, "a")[0] == 12.375
        assert encoder.notes == (
            f"'a': cells without a finite number count as missing, in 1 row: '{odd}'",
        )


def test_a_large_mean_with_a_small_spread_survives():
    # secs.csv: float32 alone keeps 4 of these 500 values apart.
    seconds = [str(1_700_000_000 + i) for i in range(500)]
    encoder, table = fitted(other=["1", "2"] * 250, time=seconds)
    assert len(set(column(encoder, table, "time"))) == 500
    assert column(encoder, table, "time")[:2] == [-249.5, -248.5]


def test_far_values_are_cut_off():
    encoder, _ = fitted(a=[str(i) for i in range(100)])
    far = encoder.transform(table_of(a=["1e30", "-1e300", "50"]))[:, 0]
    spread = np.arange(100).std()
    np.testing.assert_allclose(far, [49.5 + 10 * spread, 49.5 - 10 * spread, 50], rtol=1e-6)


@given(
    st.lists(
        st.integers(-(2**20), 2**20).map(lambda i: i / 8),
        min_size=3,
        max_size=9,
        unique=True,
    )
)
def test_plain_numbers_are_what_they_were(values):
    encoder, table = fitted(a=list(map(repr, values)))
    offset = encoder.columns[0].offset
    np.testing.assert_array_equal(
        encoder.transform(table)[:, 0], (np.array(values) - offset).astype(np.float32)
    )


# --- words, dates -------------------------------------------------------------------------------


def test_categories():
    encoder, table = fitted(c=["red"] * 4 + ["blue"] * 3 + ["green"] * 2 + ["pink", "grey"])
    assert encoder.input_names == ("c=blue", "c=green", "c=red", "c is other")
    assert encoder.transform(table).sum(axis=0).tolist() == [3, 2, 4, 2]
    new = encoder.transform(table_of(c=["green", "mauve", ""]))
    assert new.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_two_categories_are_one_input():
    encoder, table = fitted(f=["True", "False", "True", "False"])
    assert encoder.input_names == ("f=True",)
    assert encoder.transform(table)[:, 0].tolist() == [1, 0, 1, 0]
    assert encoder.transform(table_of(f=["maybe"])).tolist() == [[0]]


def test_missing_words_are_a_category():
    encoder, table = fitted(c=["a", "b", "", "a", "b", "?"])
    assert encoder.input_names == ("c=a", "c=b", "c=missing")
    assert encoder.transform(table).sum(axis=0).tolist() == [2, 2, 2]


def test_dates():
    days = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(84)]
    encoder, table = fitted(day=[*days, ""])
    assert encoder.input_names == ("day: days", "day: month", "day: weekday")
    X = encoder.transform(table)
    assert np.ptp(X[:84, 0]) == 2 * 31 - 2 + 27  # from 1 January to 28 March of a leap year
    assert X[84].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (["31/12/2023", "01/01/2024"], ["days", "month", "weekday"]),
        (["12/31/2023", "01/01/2024"], ["days", "month", "weekday"]),
        (["31.12.2023 23:30", "01.01.2024 00:10"], ["days", "month", "weekday", "hour"]),
        (["Dec 31, 2023", "Jan 1, 2024"], ["days", "month", "weekday"]),
        (["2024-01-01T00:00:00Z", "2024-01-01T12:30:00Z"], ["days", "hour"]),
        (["08:15", "17:45"], ["hour"]),
    ],
)
def test_date_formats(cells, parts):
    encoder, _ = fitted(t=cells * 3)
    assert encoder.input_names == tuple(f"t: {part}" for part in parts)


@pytest.mark.parametrize(
    "change", [str, str.upper, lambda c: c.replace(" ", "\t"), lambda c: c[:-1]]
)
def test_dates_are_read_as_strptime_reads_them(change):
    moment = datetime(2024, 3, 5, 14, 7, 9, 250)
    for cell in {change(moment.strftime(form)) for form in _cells.DATE_FORMATS[2:]}:
        for form in _cells.DATE_FORMATS[2::5]:
            try:
                expected = datetime.strptime(cell, form).replace(tzinfo=UTC)
            except ValueError:
                expected = None
            assert _cells.parse_date(cell, form) == expected


def test_formats_whose_marks_a_cell_has_not_are_not_tried(monkeypatch):
    """A cell such as A1 used to take 78 calls of strptime, 3 ms."""
    tried = []

    class Watched(datetime):
        @classmethod
        def strptime(cls, cell, form):
            tried.append(form)
            return datetime.strptime(cell, form)

    monkeypatch.setattr(_cells, "datetime", Watched)
    assert all(_cells.parse_date("A1", form) is None for form in _cells.DATE_FORMATS)
    assert tried == []
    assert all(_cells.parse_date("A1 b 2", form) is None for form in _cells.DATE_FORMATS)
    assert tried == ["%d %b %Y", "%d %B %Y"]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set")
def test_dates_do_not_depend_on_where_one_is(monkeypatch):
    cells = ["2024-01-01 06:00", "2024-07-01T06:00:00+02:00", "2024-03-31 02:30"]
    forms = (cells, ["01.01.2024", "01.07.2024", "31.03.2024"], ["06:00", "07:15", "02:30"])
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        told = [fitted(t=form)[0].read(table_of(t=form))["t"] for form in forms]
        assert told[0]["days"].tolist() == [19723.25, 19905 + 4 / 24, 19813 + 2.5 / 24]
        assert told[0]["hour"].tolist() == [6, 4, 2.5]
        assert told[0]["month"].tolist() == [1, 7, 3]
        assert told[0]["weekday"].tolist() == [0, 0, 6]
        assert told[1]["days"].tolist() == [19723, 19905, 19813]
        assert {part: v.tolist() for part, v in told[2].items()} == {"hour": [6, 7.25, 2.5]}
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1 234", 1234),
        ("1'234'567", 1234567),
        ("1’234.5", 1234.5),
        ("+5", 5),
        ("-$ 2", -2),
        ("($1,000)", None),
        ("(1,000.5)", -1000.5),
        ("(7", None),
        ("7)", None),
        ("1,23", None),
        ("1 23", None),
        ("1\n2", None),
        ("$", None),
        ("5 %", 5),
        ("¥7", 7),
        ("£7,000", 7000),
        ("1_000", None),
        ("1e3", 1000),
        ("$1.5e3", 1500),
    ],
)
def test_what_a_cell_says_beside_amounts(cell, number):
    cells = [f"${i}.5" for i in range(99)]
    encoder, _ = fitted(a=[*cells, cell])
    told = encoder.read(table_of(a=["$0.25", cell]))["a"].tolist()
    assert told[0] == 0.25
    assert told[1] == number if number is not None else math.isnan(told[1])
    assert bool(encoder.notes) is (number is None)


# --- what is left out ---------------------------------------------------------------------------


def test_what_is_left_out_and_why():
    n = 120
    encoder, _ = fitted(
        row=[str(i) for i in range(n)],
        customerID=[f"C{i * 7919 % 1000}" for i in range(n)],
        order_id=[str(i * 7919 % 100003) for i in range(n)],
        name=[f"person {i}" for i in range(n)],
        constant=["5"] * n,
        word=["x"] * n,
        empty=[""] * n,
        nearly=["F"] * (n - 1) + ["M"],
        x=[str(i * 37 % 101) for i in range(n)],
    )
    assert encoder.input_names == ("x",)
    assert dict(encoder.left_out) == {
        "row": "an identifier: its name says so, and it differs in every row",
        "customerID": "text that differs from row to row",
        "order_id": "an identifier: its name says so, and it differs in every row",
        "name": "text that differs from row to row",
        "constant": "constant, 5",
        "word": "constant, x",
        "empty": "empty",
        "nearly": "F in 119 of 120 rows",
    }


def test_keep_what_looks_like_a_number_of_rows():
    table = table_of(i=[str(i) for i in range(30)], x=[str(i % 7) for i in range(30)])
    assert sn.TableEncoder.fit(table).input_names == ("x",)
    assert sn.TableEncoder.fit(table, keep=["i"]).input_names == ("i", "x")
    assert sn.TableEncoder.fit(table.without(["x"])).input_names == ("i",)  # there is no other
    with pytest.raises(ValueError, match="keep: table has no column 'j', 'k'; it has 'i', 'x'"):
        sn.TableEncoder.fit(table, keep=["j", "i", "k"])


def test_one_message_names_all_columns_that_cannot_be_used():
    with pytest.raises(ValueError, match=r"no column can be used \('a': constant, 1; 'b': empty\)"):
        fitted(a=["1", "1"], b=["", ""])
    with pytest.raises(ValueError, match="no rows"):
        fitted(a=[])


# --- predicting ---------------------------------------------------------------------------------


def test_only_columns_that_matter_have_to_be_there():
    encoder, _ = fitted(a=["1", "2"] * 2, c=["x", "y"] * 2, d=["3", "4"] * 2)
    table = table_of(note=["?"], d=["7"])
    assert encoder.transform(table, [2]).tolist() == [[0, 0, 7]]
    with pytest.raises(ValueError, match="table: no column 'a', 'c'; it has 'note', 'd'"):
        encoder.transform(table)
    assert encoder.columns_of([1, 2]) == ["c", "d"]


def test_words_where_numbers_were():
    encoder, _ = fitted(a=["1", "2"], d=["2024-01-01", "2024-01-02"])
    with pytest.raises(ValueError, match="'a' must hold numbers, got 'x', 'y'"):
        encoder.transform(table_of(a=["x", "y"], d=["2024-01-01", ""]))
    with pytest.raises(ValueError, match="'d' must hold dates, got '5'"):
        encoder.transform(table_of(a=["1", ""], d=["5", ""]))


def test_a_word_among_numbers_is_warned_of():
    cells = [str(i / 4) for i in range(100)]
    encoder, table = fitted(a=["unknown", *cells])
    encoder.transform(table)  # it was there in training: no warning
    with pytest.warns(UserWarning, match="cells of 'a' that hold no numbers count as missing: 'x'"):
        assert encoder.transform(table_of(a=["x", "1"])).tolist() == [[12.375], [1]]


def test_without_a_header_columns_count_by_position():
    train = sn.read_table(io.BytesIO(b"1,2,0\n2,1,1\n3,5,0\n"))
    encoder = sn.TableEncoder.fit(train.without(["c0"]))
    new = sn.read_table(io.BytesIO(b"7,0\n8,1\n"))
    assert encoder.transform(new).tolist() == [[7, 0], [8, 1]]


def test_records_are_json_and_equal():
    encoder, table = fitted(
        a=["1", "", "", "4"],
        c=["x", "y", "x", "y"],
        d=["2024-01-01", "2024-02-03"] * 2,
        k=["1"] * 4,
        s=["1", "2", "3", "inf"],
    )
    again = sn.TableEncoder.from_record(json.loads(json.dumps(encoder.record(), allow_nan=False)))
    assert again.columns == encoder.columns
    assert again.left_out == encoder.left_out
    assert again.order == encoder.order == ("a", "c", "d", "k", "s")
    assert again.notes == encoder.notes != ()
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))
    assert repr(encoder) == (
        "TableEncoder(7 inputs; columns: 2 of numbers, 1 of categories, 1 of dates, 1 left out)"
    )


def test_native_columns():
    table = sn.Table({"a": np.array([1.0, math.nan, 2.0]), "b": np.array([1e9, 1e9 + 1, 1e9 + 2])})
    assert sn.TableEncoder.fit(table).transform(table).tolist() == [[1, -1], [1.5, 0], [2, 1]]


def test_input_names_are_unique():
    encoder, _ = fitted(**{"a": ["1", "", "", "2"], "a is missing": ["1", "2", "3", "4"]})
    assert encoder.input_names == ("a", "a is missing", "a is missing'")


# --- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ("0 1 0", [0, 1, 0]),
        ("+1 -1", [1, -1]),
        ("01 1", ["01", "1"]),
        ("1.0 2.0", [1, 2]),
        ("1.0 0 1", [1, 0, 1]),
        ("1 b", ["1", "b"]),
        ("+ - +", ["+", "-", "+"]),
        ("yes no Yes", ["yes", "no", "yes"]),
        ("a A", ["a", "A"]),
        ("9999999999999999999 1", ["9999999999999999999", "1"]),
        ("0.5 1.5 0.5", ["0.5", "1.5", "0.5"]),
    ],
)
def test_labels(cells, labels):
    target = read_target(table_of(y=cells.split()), "y")
    assert target.values.tolist() == labels


def test_rows_without_a_label_are_said():
    target = read_target(table_of(y=["a", "", "b", "NA"]), "y")
    assert target.rows.tolist() == [0, 2]
    assert target.notes == ("2 rows have no 'y' and will not be used",)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["a"] * 3, "holds only the label a"),
        ([""] * 3, "holds no label at all"),
        ([f"w{i}" for i in range(80)], "80 different labels in 80 rows, too many"),
    ],
)
def test_labels_that_are_none(cells, message):
    with pytest.raises(ValueError, match=message):
        read_target(table_of(y=cells), "y")


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ([f"{i / 7}" for i in range(40)], [i / 7 for i in range(40)]),
        ([str(i) for i in range(80)], list(range(80))),
        ([f"{i},5" for i in range(80)], [i + 0.5 for i in range(80)]),
        ([f"1,{i:03}.5" for i in range(80)], [1000.5 + i for i in range(80)]),
        ([f"{i} %" for i in range(80)], None),
    ],
)
def test_amounts(cells, numbers):
    target = read_target(table_of(y=[*cells, ""]), "y")
    assert target.values.dtype == np.float64
    assert target.rows.tolist() == list(range(len(cells)))
    if numbers is not None:
        assert target.values.tolist() == numbers


def test_an_odd_cell_among_amounts_is_named():
    table = table_of(y=[*(f"{i}.5" for i in range(60)), "n.d."])
    with pytest.raises(ValueError, match=r"'y' holds numbers, but also 'n\.d\.'; correct"):
        read_target(table, "y")


def test_labels_or_numbers_as_one_asks():
    table = table_of(y=["1", "2", "2"])
    assert read_target(table, "y").values.dtype == np.int64
    assert read_target(table, "y", True).values.dtype == np.float64
    many = table_of(y=[str(i // 2) for i in range(160)])
    assert read_target(many, "y", False).values.dtype == np.int64
    with pytest.raises(ValueError, match="'y' must hold numbers, got 'b'"):
        read_target(table_of(y=["1", "b"]), "y", True)


def test_find_target():
    table = table_of(a=["1"], Class=["2"], b=["3"])
    assert find_target(table, None) == "Class"
    assert find_target(table, "a") == "a"
    assert find_target(table, -1) == find_target(table, "-1") == "b"
    assert find_target(table, "0") == "a"
    for wrong, message in [("z", "no column 'z'"), (3, "from -3 to 2"), ("-4", "from -3 to 2")]:
        with pytest.raises(ValueError, match=message):
            find_target(table, wrong)
    with pytest.raises(ValueError, match=r"no target given; .* one of 'a', 'b'$"):
        find_target(table.without(["Class"]), None)


def test_spellings_and_rare_classes_are_said():
    cells = ["Yes"] + ["yes", "no "] * 3 + ["YES", "No", "c  d", "a", "A"]
    target = read_target(table_of(y=cells), "y")
    assert target.values.tolist() == ["yes", *["yes", "no"] * 3, "yes", "no", "c d", "a", "A"]
    assert target.notes == (
        "'y': spellings are merged: yes/Yes/YES, no/No",
        "'y': classes of one row: 'A', 'a', 'c d'",
    )
    pairs = [f"{a}x" for a in "abcdef"]
    told = read_target(table_of(y=[*pairs, *map(str.upper, pairs)]), "y").notes
    assert told == ("'y': spellings are merged: ax/AX, bx/BX, cx/CX, dx/DX, ex/EX",)
    words = [f"w{i}" for i in range(7)]
    told = read_target(table_of(y=["", *words]), "y").notes
    assert told == (
        "1 row has no 'y' and will not be used",
        "'y': classes of one row: 'w0', 'w1', 'w2', 'w3', 'w4', … (7 in all)",
    )
    assert read_target(table_of(y=["a", "b"]), "y").notes == ()


@pytest.mark.parametrize(
    ("cells", "values", "rows"),
    [
        ([1.0, math.nan, 2.0], [1, 2], [0, 2]),
        ([0.5, 2.0, 0.5], ["0.5", "2.0", "0.5"], [0, 1, 2]),
        (["-", "+", "?", " - "], ["-", "+", "-"], [0, 1, 3]),
        (["1E3", ".5e1", "+2."], [1000, 5, 2], [0, 1, 2]),
        ([" 7", "-7 ", "0"], [7, -7, 0], [0, 1, 2]),
        (["9" * 18, "0"], [10**18 - 1, 0], [0, 1]),
        (["9007199254740991.0", "1"], [2**53 - 1, 1], [0, 1]),
        (["9007199254740992.0", "1"], ["9007199254740992.0", "1"], [0, 1]),
        (["1e400", "1"], ["1e400", "1"], [0, 1]),
        (["007", "7"], ["007", "7"], [0, 1]),
        (["10", "1 0"], ["10", "1 0"], [0, 1]),
    ],
)
def test_labels_of_numbers(cells, values, rows):
    kind = float if isinstance(cells[0], float) else object
    target = read_target(sn.Table({"y": np.array(cells, kind)}), "y")
    assert target.values.tolist() == values
    assert target.rows.tolist() == rows


def test_how_many_labels_are_too_many():
    words = [f"w{i}" for i in range(51)]
    assert len(read_target(table_of(y=words[:50]), "y").values) == 50
    assert len(read_target(table_of(y=words * 3), "y").values) == 153
    with pytest.raises(ValueError, match=r"^table: 'y' holds 51 different labels in 152 rows, too"):
        read_target(table_of(y=(words * 3)[:-1]), "y")
    with pytest.raises(ValueError, match=r"^table: 'y' holds only the label 3; at least two are"):
        read_target(sn.Table({"y": np.full(4, 3.0)}), "y")
    with pytest.raises(ValueError, match=r"^table: 'y' holds no label at all; at least two are"):
        read_target(sn.Table({"y": np.full(4, math.nan)}), "y")


@pytest.mark.parametrize(
    ("distinct", "rows", "step", "amounts"),
    [
        (10, 1000, 0.5, False),
        (11, 1000, 0.5, True),
        (10, 10, 1.0, False),
        (11, 11, 1.0, True),
        (11, 33, 1.0, False),
        (12, 33, 1.0, True),
        (50, 1000, 1.0, False),
        (51, 1000, 1.0, True),
    ],
)
def test_how_many_numbers_are_amounts(distinct, rows, step, amounts):
    answers = np.arange(rows) % distinct * step
    assert is_amount(answers) is amounts
    assert read_target(sn.Table({"y": answers}), "y").values.dtype.kind == (
        "f" if amounts else "i" if step == 1.0 else "U"
    )
    assert is_amount(answers.astype(np.float32)) is amounts
    assert is_amount(np.arange(rows)) is is_amount(answers.astype(str)) is False


def test_what_is_no_column_of_answers_is_named():
    table = table_of(y=["a", "b", ""])
    for call in (read_target, lambda *args: known_target(*args, None)):
        with pytest.raises(TypeError, match=r"^table must be a Table, got "):
            call({"y": ["a"]}, "y")
        with pytest.raises(ValueError, match=r"^target: table has no column 'z'; it has 'y'$"):
            call(table, "z")
    with pytest.raises(TypeError, match=r"^table must be a Table, got "):
        find_target({"y": ["a"]}, "y")
    with pytest.raises(TypeError, match=r"^answers must be a ndarray, got "):
        is_amount([1.0])
    with pytest.raises(TypeError, match=r"^classes must be a ndarray, got "):
        known_target(table, "y", ["a", "b"])
    for classes in (None, np.array(["a", "b"])):
        with pytest.raises(ValueError, match=r"^table: no row has a 'y'$"):
            known_target(table_of(y=["", "?"]), "y", classes)
    with pytest.raises(ValueError, match=r"^table: 'y' must hold numbers, got 'b'$"):
        known_target(table_of(y=["1", "b", "c"]), "y", None)
    with pytest.raises(ValueError, match=r"^table: 'y' must hold numbers, got 'inf'$"):
        known_target(table_of(y=["1", "inf"]), "y", None)
    with pytest.raises(ValueError, match=r"^table: 'y' must hold numbers$"):
        read_target(table_of(y=["", ""]), "y", True)


@pytest.mark.parametrize(
    ("classes", "cells", "values"),
    [
        (None, ["1.5", "", "12"], [1.5, 12.0]),
        (None, ["12 %", "$1,000.50", "?"], [12.0, 1000.5]),
        (None, ["2,5", "1.000,5"], [2.5, 1000.5]),
        (None, [2.5, math.nan, 3.0], [2.5, 3.0]),
        ([1, 2], ["1", "2.0", "", "7"], [1, 2, 7]),
        ([1, 2], [1.0, math.nan, 2.0], [1, 2]),
        ([1, 2], ["1.5", "2"], [1.5, 2.0]),
        ([1, 2], ["1", "b"], ["1", "b"]),
        ([0.0, 1.0], ["1", "0.0"], [1, 0]),
        ([10**17], [str(10**17 + 1)], [10**17 + 1]),
        ([True, False], ["True", "FALSE", " false "], [True, False, False]),
        ([True, False], ["true", "maybe"], ["True", "maybe"]),
        ([True, False], ["1", "0"], [1, 0]),
        (["no", "NO", "yes"], ["NO", "YES", " no", ""], ["NO", "yes", "no"]),
        (["yes"], ["no", "-", "?"], ["no", "-"]),
        (["a b"], ["A  B", "a  b", "c  d"], ["a b", "a b", "c  d"]),
        (["a  b", "a b"], ["a  b", "a b"], ["a  b", "a b"]),
        (["a", "b"], ["A", "b", "B"], ["A", "b", "B"]),
        (["1", "2"], [1.0, 2.0, 3.5, 4.0], ["1", "2", "3.5", "4.0"]),
        (["1.0", "2.5"], ["1", "2.50", "3"], ["1.0", "2.5", "3"]),
        (["1.0", "2.5"], [1.0, 2.5], ["1.0", "2.5"]),
        (["inf", "x"], ["inf", "1e999", "x"], ["inf", "1e999", "x"]),
    ],
)
def test_answers_are_what_they_were_in_training(classes, cells, values):
    kind = float if isinstance(cells[0], float) else object
    known = None if classes is None else np.array(classes)
    target = known_target(sn.Table({"y": np.array(cells, kind)}), "y", known)
    assert target.values.tolist() == values
    assert target.values.dtype == np.array(values).dtype
    assert target.rows.tolist() == [i for i, c in enumerate(cells) if c not in ("", "?") and c == c]
    assert target.notes == ()
