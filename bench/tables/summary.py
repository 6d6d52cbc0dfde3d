"""What the runs show together, each table counting once."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from bench.tables.peers import PEERS, TITLES
from bench.tables.runs import LARGE, Record

Z = 1.645  # standard errors of a 90 % interval
BADLY = 2.0  # points, of a run
BEHIND = 1.5  # points, of a table
TELLING = 0.005  # standard error of the drop below which rows can tell
QUICK = 10000  # rows up to which times are told


def by_table(
    records: Iterable[Record], value: Callable[[Record], float]
) -> dict[str, float]:  # fmt: skip
    """Return each table's mean over its shuffles."""
    values: dict[str, list[float]] = {}
    for record in records:
        values.setdefault(record.table, []).append(value(record))
    return {table: statistics.fmean(of) for table, of in values.items()}


def large(records: Iterable[Record], *, yes: bool = True) -> list[Record]:
    """Return the runs on tables of at least, or of fewer than, 1000 rows."""
    return [record for record in records if (record.rows >= LARGE) == yes]


def points(record: Record, contender: str, other: str) -> float:
    """Return by how many points of the metric that ours used one is better than another."""
    return 100 * (record.score(contender) - record.score(other))


def lost(records: Iterable[Record]) -> dict[str, float]:
    """Return pruned less full by table, in points."""
    return by_table(records, lambda r: points(r, "pruned", "full"))


def share_losing(records: Iterable[Record], more_than: float = BADLY) -> float:
    """Return the share of runs that lose more than some points to the full network."""
    return statistics.fmean(points(r, "pruned", "full") < -more_than for r in records)


def is_covered(record: Record) -> bool:
    """Whether the test score is in the interval expected, widened by the test's own error."""
    score, error = record.score("pruned"), Z * record.test_error
    below = math.hypot(record.expected - record.low, error)
    above = math.hypot(record.high - record.expected, error)
    return record.expected - below <= score <= record.expected + above


def against_better(records: Sequence[Record], peers: Sequence[str]) -> dict[str, float]:
    """Return by how many points pruned is better than the better of some peers, by table.

    The better is that of the means over shuffles: the better of each shuffle would be lucky.
    """
    differences = [by_table(records, lambda r, p=peer: points(r, "pruned", p)) for peer in peers]
    return {table: min(of[table] for of in differences) for table in differences[0]}


def relative_size(records: Iterable[Record]) -> dict[str, float]:
    """Return the pruned network's weights as a share of MLP(100)'s, by table."""
    return by_table(records, lambda r: r.weights["pruned"] / r.weights["mlp"])


def removed_where_told(records: Sequence[Record], start: str = "start") -> dict[str, float]:
    """Return the share of weights removed, of the tables whose rows can tell the drop."""
    error = by_table(records, lambda r: r.telling_error)
    removed = by_table(records, lambda r: 1 - r.weights["pruned"] / r.weights[start])
    return {table: share for table, share in removed.items() if error[table] < TELLING}


def says_nothing(record: Record) -> bool:
    """Whether the pruned network is empty, or says one class."""
    return record.one_class or record.weights["pruned"] == 0


def have(records: Iterable[Record], *contenders: str) -> bool:
    """Return whether all runs have figures of some contenders."""
    return all(set(contenders) <= record.accuracy.keys() for record in records)


def lines(records: Sequence[Record]) -> list[list[str]]:
    """Return what the runs must show, and what they do show."""
    told = [["pruned - full, mean over tables", f"{_mean(lost(records)):+.2f} points"]]
    for yes, name in ((True, f"{LARGE} rows or more"), (False, f"fewer than {LARGE} rows")):
        some = large(records, yes=yes)
        if some:
            worst, points_ = min(lost(some).items(), key=lambda item: item[1])
            told.append([f"worst table of {name}", f"{points_:+.2f} points ({worst})"])
    if some := large(records):
        told.append([
            f"runs on {LARGE} rows or more that lose over {BADLY:g} points",
            f"{share_losing(some):.1%} of {len(some)}",
        ])  # fmt: skip
    covered = statistics.fmean(map(is_covered, records))
    told.append(["test scores inside the 90 % interval", f"{covered:.1%} of {len(records)}"])
    if have(records, "lr", "mlp"):
        behind = against_better(records, ("lr", "mlp"))
        few = sorted(table for table, by in behind.items() if by < -BEHIND)
        told += [
            ["pruned - better of LR and MLP(100), mean over tables",
             f"{_mean(behind):+.2f} points"],
            [f"tables more than {BEHIND:g} points below that", _listed(few)],
        ]  # fmt: skip
    for name in PEERS:
        if have(records, name):
            for ours in ("pruned", "full"):
                ahead = _mean(by_table(records, lambda r, o=ours, n=name: points(r, o, n)))
                told.append([f"{ours} - {TITLES[name]}, mean over tables", f"{ahead:+.2f} points"])
    sizes = relative_size(records)
    told.append(["weights, pruned / MLP(100), median table", f"{_median(sizes):.2%}"])
    for start, name in (("start", "its start"), ("full", "the best full network")):
        removed = removed_where_told(records, start)
        if removed:
            told.append([
                f"removed from {name}, median of the tables whose rows can tell",
                f"{_median(removed):.1%} ({len(removed)} of {len(sizes)} tables)",
            ])  # fmt: skip
    mute = [f"{r.table} {r.shuffle}" for r in records if says_nothing(r)]
    told.append(["runs that end empty or say one class", _listed(mute)])
    times = [r.seconds["ours"] for r in records if r.rows <= QUICK]
    if times:
        threads = ", ".join(str(n) for n in sorted({r.threads for r in records}))
        told.append([
            f"seconds up to {QUICK} rows on {threads} thread{'s' * (threads != '1')}, "
            "median and most",
            f"{statistics.median(times):.1f}, {max(times):.1f}",
        ])  # fmt: skip
    return told


def table_rows(records: Sequence[Record]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table of tables, by falling number of rows."""
    peers = [name for name in PEERS if any(name in r.accuracy for r in records)]
    contenders = ["full", "pruned", *peers]
    header = [
        "table", "rows", "classes", "inputs", *(TITLES.get(c, c) for c in contenders),
        "synapses", "MLP(100)'s", "columns", "expected", "standard error", "seconds",
    ]  # fmt: skip
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: (-r.rows, r.table)):
        groups.setdefault(record.table, []).append(record)
    told = []
    for table, of in groups.items():
        first = of[0]
        balanced = first.metric == "balanced_accuracy"
        told.append([
            table + " (balanced)" * balanced, str(first.rows), str(_most(of, "classes")),
            str(_most(of, "inputs")), *(_score(of, c) for c in contenders),
            f"{_count(of, 'full')} → {_count(of, 'pruned')}", _count(of, "mlp"),
            f"{statistics.median(r.used_columns for r in of):.3g} of {first.columns}",
            f"{statistics.fmean(r.expected for r in of):.1%}",
            f"{statistics.fmean(r.standard_error for r in of):.2%}",
            f"{statistics.median(r.seconds['ours'] for r in of):.1f}",
        ])  # fmt: skip
    return header, told


def absences(records: Iterable[Record]) -> list[str]:
    """Return sentences on peers without figures."""
    why: dict[tuple[str, str], set[str]] = {}
    for record in records:
        for name, reason in record.absent.items():
            why.setdefault((name, reason), set()).add(record.table)
    return [
        f"{TITLES[name]} is skipped on {len(tables)} table{'s' * (len(tables) > 1)}: {reason}."
        for (name, reason), tables in why.items()
    ]


def _score(records: Sequence[Record], contender: str) -> str:
    scores = [r.score(contender) for r in records if contender in r.accuracy]
    return f"{statistics.fmean(scores):.1%}" if scores else "–"


def _count(records: Sequence[Record], network: str) -> str:
    return f"{statistics.median(r.weights[network] for r in records):.0f}"


def _most(records: Sequence[Record], what: str) -> int:
    return max(getattr(record, what) for record in records)


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)}: {', '.join(names)}" if names else "0"


def _mean(values: dict[str, float]) -> float:
    return statistics.fmean(values.values())


def _median(values: dict[str, float]) -> float:
    return statistics.median(values.values())
