"""What the exports as text are tested with: a table with gaps, and strings that could break out."""

import functools

import numpy as np
import synaprune as sn

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
