"""What the exports as text are tested with: a table with gaps, and strings that could break out."""

import functools
from datetime import datetime, timedelta

import numpy as np
import synaprune as sn
from export.networks import with_random_layers
from synaprune.tables._cells import DATE_FORMATS

HOSTILE = [
    "*/ injected(); /*",
    'quote " and \\',
    "ends with a backslash\\",
    "line\nbreak\r\nand more\\\n",
    "'); DROP TABLE t; --",
    "''' + injected() + '''",
    '""" + injected() + """',
    "${injected()} `injected()`",
    "{injected} %s %(x)s :name $1 ?",
    "naïve žluťoučký 猫 \U0001f600",
    "</script><script>injected()</script>",
    "<!-- comment",
    "\u2028injected()\u2029",
    "// comment # comment",
    "__proto__",
    "0123 \t\x01\x7f7",
    " spaces   inside ",
    "a  long label " + "with many words " * 12,
]
ODD_CELLS = ["NA", "", "?", "-", " nan", "-12.5e1", "+3", ".5", "7.", "1e9", "1_0", "inf", "-inf"]


def hostile_network(labels=HOSTILE):
    """A classifier whose labels and columns are hostile, and rows of each class."""
    n = len(labels)
    X = np.eye(n, dtype=np.float32)
    net = sn.SparseMLP((n, n), input_scaling="none", seed=0)
    net.prepare(X, np.array(labels))
    net.input_names = labels
    return net, X


def table_network(table, target, seed=0, hidden=6):
    """A network of all columns of a table but the target, as `smallest_network` makes them."""
    columns = table.without([target])
    encoder = sn.TableEncoder.fit(columns)
    X = encoder.transform(columns)
    y = table.columns[target]
    net = sn.SparseMLP((X.shape[1], hidden, len(set(y.tolist()))), seed=seed)
    net.fit(X, np.array([str(label) for label in y.tolist()]), training=sn.Training(3))
    net.encoder = encoder
    return net, columns


def odd_table(plain=False):
    """A table of hostile columns and categories with gaps, and cells never seen in training.

    Plain numbers have no underscores.
    """
    rng = np.random.default_rng(0)
    words = np.array([*(w for w in HOSTILE if w.strip()), "red", "", "NA", "missing", "3", "2.5"])
    rows = [
        [str(rng.choice(words)), f"{rng.normal(5.0, 2.0):.3f}", f"{2e9 + rng.integers(0, 99)}",
         str(rng.choice(["1", "2", "3"])), str(rng.choice(["a", "b"]))]
        for _ in range(600)
    ]  # fmt: skip
    for row in rows[::9]:
        row[1] = ""
    names = ['a "word"; --', "number\n'", "__proto__", "code */", "target"]
    table = sn.Table.from_rows(rows, names)
    net, _ = table_network(table, "target")
    fresh = [list(row[:4]) for row in rows[:60]]
    for row, odd in zip(fresh, ODD_CELLS * 4, strict=False):
        row[1] = odd
    for row, odd in zip(fresh[::2], ODD_CELLS * 2, strict=False):
        row[0] = odd
    fresh[0][0] = "  spaces \t inside\n"
    if plain:
        for row in fresh:
            row[1] = row[1].replace("_", "")
    fresh[1][0] = "never seen '\""
    return net, sn.Table.from_rows(fresh, names[:4])


def random_table(rng, n=200):
    """A table of random columns of every kind, and 40 rows of the same columns with odd cells."""
    words = [w for w in HOSTILE if w.strip()]

    def pick(low, high, digits=1):
        return f"{rng.integers(low, high):0{digits}}"

    kinds = {
        "number": lambda: f"{rng.normal(5.0, 2.0):.4g}",
        "large": lambda: f"{2e9 + rng.integers(0, 99)}",
        "huge": lambda: f"{rng.normal(0.0, 1e30):.5e}",
        "price": lambda: f"${pick(1, 9)},{pick(0, 999, 3)}.50",
        "comma": lambda: f"{pick(1, 9)}.{pick(0, 999, 3)},5 €",
        "share": lambda: f"{rng.integers(0, 100)} %",
        "word": lambda: words[rng.integers(len(words))],
        "few": lambda: "abc"[rng.integers(3)],
        "date": lambda: f"20{pick(10, 30)}-{pick(1, 13, 2)}-{pick(1, 29, 2)}",
        "moment": lambda: f"2020-{pick(1, 13, 2)}-07T{pick(0, 24, 2)}:{pick(0, 60, 2)}",
        "european": lambda: f"{pick(1, 29)}.{pick(1, 13)}.{pick(1999, 2031)}",
        "clock": lambda: f"{pick(0, 24, 2)}:{pick(0, 60, 2)}",
    }
    chosen = rng.choice(list(kinds), int(rng.integers(1, 6)))
    names = [f"{HOSTILE[int(rng.integers(9))]} {i}" for i in range(len(chosen))]
    gaps = rng.choice([0.0, 0.1], len(chosen))
    columns = list(zip(chosen, gaps, strict=True))
    rows = [
        ["" if rng.random() < gap else kinds[kind]() for kind, gap in columns] for _ in range(n)
    ]
    fresh = [list(row) for row in rows[:40]]
    for row in fresh[::4]:
        row[int(rng.integers(len(row)))] = str(rng.choice(ODD_CELLS)).replace("_", "")
    return sn.Table.from_rows(rows, names), sn.Table.from_rows(fresh, names)


ISO = [
    "2021-03-04", "20210304", "2021-03-04T05:06", "2021-03-04 05:06:07.25", "20210304T050607,5",
    "2021-03-04T05:06:07.1234567+02:00", "2021-03-04T23:30-0130", "2021-03-04T05Z", "0050-01-01",
    "2021-02-30", "2021-3-4", "2021-03-04T24:30", "2021-03-04T05:60", "03/04/2021", "2021-0304",
    "2021-03-04x05:06", "2021-03-04T0506:07",
]  # fmt: skip
CLOCK = ["05:06", "23:59:59.5", "T07", "0708", "24:01", "5:06", "07:08+02:00", "07:60", "noon"]


def table_of_dates(n=60):
    """A network of numbers of a column of each form of dates, and rows with odd cells."""
    rng = np.random.default_rng(0)
    parts = ["days", "month", "weekday", "hour"]
    columns, rows = [], []
    for form in DATE_FORMATS:
        own = parts if form != "time" else ["hour"]
        fill = [18000.5, 6.25, 3.0, 12.0][: len(own)]
        columns.append({"kind": "dates", "name": form, "form": form, "parts": own, "fill": fill})
    for i in range(n):
        row = []
        for form in DATE_FORMATS:
            moment = datetime(1980, 1, 1) + timedelta(seconds=float(rng.uniform(0, 2e9)))
            text = {"iso": moment.isoformat(), "time": moment.time().isoformat()}.get(form)
            text = text or moment.strftime(form)
            odd = {"iso": ISO, "time": CLOCK}.get(form)
            if i % 2 and odd:
                text = odd[i // 2 % len(odd)]
            elif i % 7 == 3:
                text = [
                    f"  {text} ",
                    text.upper(),
                    f"{text} more",
                    text.replace("1", "3"),
                    "",
                    "?",
                ][int(rng.integers(6))]
            row.append(text)
        rows.append(row)
    record = {"columns": columns, "left_out": {}, "order": list(DATE_FORMATS), "notes": []}
    encoder = sn.TableEncoder.from_record(record)
    table = sn.Table.from_rows(rows, list(DATE_FORMATS))
    X = encoder.transform(table)
    net = sn.SparseMLP((X.shape[1], 2), loss="squared_error", input_scaling="standard", seed=0)
    net.prepare(X, rng.normal(size=(n, 2)))
    net = with_random_layers(net, rng)
    net.encoder = encoder
    return net, table


AMOUNTS = [
    "$1,200", "-$3", "+4.5 %", "(1,200.50)", "1 200", "1  200", "1'200", "12 kg", "1,20", "\u20ac5",
    ".5", "7.", "1e3", "1.200,5 \u20ac", "1.200", "-", "(", "()", "%", "1\u00a0200", "$ 12 %",
    "1_0",
]  # fmt: skip


def table_of_amounts():
    """A classifier of amounts with points and with commas, and rows with odd cells."""
    rows = [
        [f"${1 + i % 7},{i:03}.25", f"{1 + i % 5}.{i:03},5 \u20ac", "ab"[i % 2]] for i in range(90)
    ]
    net, _ = table_network(sn.Table.from_rows(rows, ["point", "comma", "target"]), "target")
    fresh = [row[:2] for row in rows[: len(AMOUNTS) + 1]]
    for odd, row in zip(AMOUNTS, fresh[1:], strict=True):
        row[:] = odd, odd
    return net, sn.Table.from_rows(fresh, ["point", "comma"])


def rows_of(table):
    """The rows of a table as dicts."""
    columns = {name: column.tolist() for name, column in table.columns.items()}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


@functools.cache
def thousand_rows():
    """A classifier of digits and a regression of two numbers, each with 1000 rows."""
    data = sn.datasets.digits()
    digits = sn.SparseMLP((64, 4, 10), seed=0).fit(*data.train, training=sn.Training(2))
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, (1000, 5)).astype(np.float32)
    y = np.stack([np.sin(X[:, 0]) + 50.0, X[:, 1] * X[:, 2]], axis=1)
    numbers = sn.SparseMLP((5, 8, 6, 2), activation="silu", loss="squared_error", seed=0)
    numbers.fit(X, y, training=sn.Training(3))
    return [(digits, np.vstack([data.train.X, data.test.X])[:1000]), (numbers, X)]
