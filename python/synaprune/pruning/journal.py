"""`Journal`: the units of work that a pruning has finished, in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import io
from synaprune.checkpoint import CheckpointError, CheckpointFile
from synaprune.checks import check_bool, check_int
from synaprune.network import SparseMLP
from synaprune.path import PathStep, pack_steps, unpack_steps

_JOURNAL, _MARK = "journal", "mark"


@dataclass(frozen=True)
class Counters:
    """What a session counts.

    Attributes
    ----------
    epochs, work : int
    loss : float
    """

    epochs: int
    work: int
    loss: float


@dataclass(frozen=True, eq=False)
class Entry:
    """A finished unit: its answer, and what it left behind.

    Attributes
    ----------
    begin, end : int
        Units that had begun before it and when it was finished, those within it included.
    answer : bool
        What its work returned.
    counters : Counters
    first : int
        Steps of the path that stayed.
    steps : list of PathStep
        Those that came after them.
    """

    begin: int
    end: int
    answer: bool
    counters: Counters
    first: int
    steps: list[PathStep]


@dataclass(frozen=True, eq=False)
class Mark:
    """Where a training was after an epoch.

    Attributes
    ----------
    values : dict
        JSON values of the strategy.
    arrays : dict of ndarray
    nets : dict of SparseMLP
    counters : Counters
    steps : list of PathStep
        The whole path.
    """

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    nets: dict[str, SparseMLP]
    counters: Counters
    steps: list[PathStep]

    def take(self, *names: str) -> list[Any]:
        """Return some of the values; raises a CheckpointError if one is missing."""
        try:
            return [self.values[name] for name in names]
        except KeyError as error:
            raise CheckpointError(f"the checkpoint does not describe a run: no {error}") from error


class Journal:
    """Units of work in the order in which they were finished, and a mark within the last one.

    A run that goes on begins anew and meets the same units in the same order. Those in the journal
    are not worked at again; the first one that is missing is where the earlier run was cut off. A
    unit replaces those within it once it is finished.

    Parameters
    ----------
    file : CheckpointFile
    start : SparseMLP
        The network that the path begins with.

    Raises
    ------
    CheckpointError
        If the file's journal is broken.
    """

    def __init__(self, file: CheckpointFile, start: SparseMLP) -> None:
        self._file = file
        self._begun = 0  # units of this run, finished before or not
        self._used = 0  # entries that this run has met
        self._entries: list[Entry] = []
        self._mark: Mark | None = None
        try:
            self._load(start)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise CheckpointError(f"{file.path} does not describe a run: {error}") from error

    def next(self) -> Entry | None:
        """Return the unit that comes next if it is finished; None if it has to be worked at."""
        if self._used < len(self._entries) and self._entries[self._used].begin == self._begun:
            entry = self._entries[self._used]
            self._used += 1
            self._begun = entry.end
            return entry
        return None

    def begin(self) -> int:
        """Begin a unit; returns its number."""
        self._begun += 1
        return self._begun - 1

    def finish(
        self,
        begin: int,
        answer: bool,
        counters: Counters,
        before: list[PathStep],
        after: list[PathStep],
    ) -> None:
        """Note a unit as finished, and save that if it is time to.

        Parameters
        ----------
        begin : int
            Its number.
        answer : bool
            What its work returned.
        counters : Counters
        before, after : list of PathStep
            The path when it began, and now.

        Raises
        ------
        CheckpointError
            If units that the earlier run had finished did not come up.
        OSError
            If the file cannot be written.
        """
        if self._used < len(self._entries):
            raise CheckpointError(
                f"{self._file.path} does not fit this run, which went another way than before; is "
                "a metric, criterion or callback not the same each time?"
            )
        while self._entries and self._entries[-1].begin > begin:
            self._entries.pop()
        pairs = zip(before, after, strict=False)
        first = next((i for i, (a, b) in enumerate(pairs) if a is not b), None)
        if first is None:
            first = min(len(before), len(after))
        entry = Entry(begin, self._begun, answer, counters, first, after[first:])
        self._entries.append(entry)
        self._used = len(self._entries)
        if self._file.due:
            self.save()

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return self._file.due

    @property
    def mark(self) -> Mark | None:
        """The last mark."""
        return self._mark

    def set_mark(self, mark: Mark) -> None:
        """Keep a mark, and save it."""
        self._mark = mark
        self.save()

    # ---- the file

    def save(self) -> None:
        """Write what there is; raises an OSError if that fails."""
        mark = self._mark
        if mark is None and not self._entries:
            return
        steps = [step for entry in self._entries for step in entry.steps]
        entries = [
            [e.begin, e.end, e.answer, *vars(e.counters).values(), e.first, len(e.steps)]
            for e in self._entries
        ]
        self._file.parts[_JOURNAL] = _packed({"entries": entries}, steps)
        if mark is not None:
            arrays = {f"array/{name}": a for name, a in mark.arrays.items()}
            headers = {}
            for name, net in mark.nets.items():
                headers[name], state = net.state()
                arrays |= {f"net/{name}/{key}": a for key, a in state.items()}
            values = {
                "values": mark.values,
                "nets": headers,
                "counters": [*vars(mark.counters).values()],
            }
            values, packed = _packed(values, mark.steps)
            self._file.parts[_MARK] = values, {**packed, **arrays}
        self._file.save()

    def _load(self, start: SparseMLP) -> None:
        if _JOURNAL in self._file.parts:
            values, arrays = self._file.parts[_JOURNAL]
            steps, at = _unpacked(values, arrays, start), 0
            for begin, end, answer, epochs, work, loss, first, n in values["entries"]:
                check_bool("answer", answer)
                for count in (begin, end, first, n):
                    check_int("each count", count, 0)
                counters = _counted(epochs, work, loss)
                self._entries.append(Entry(begin, end, answer, counters, first, steps[at : at + n]))
                at += n
        if _MARK in self._file.parts:
            values, arrays = self._file.parts[_MARK]
            self._mark = Mark(
                values=dict(values["values"]),
                arrays=io.below("array/", arrays),
                nets={
                    name: SparseMLP.from_state(header, io.below(f"net/{name}/", arrays))
                    for name, header in values["nets"].items()
                },
                counters=_counted(*values["counters"]),
                steps=_unpacked(values, arrays, start),
            )


def _counted(epochs: Any, work: Any, loss: Any) -> Counters:
    if not isinstance(loss, float):
        raise TypeError("the loss is no number")
    return Counters(check_int("epochs", epochs, 0), check_int("work", work, 0, 2**63), loss)


def _packed(
    values: dict[str, Any], steps: list[PathStep]
) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    records, arrays = pack_steps(steps) if steps else ([], {})
    return values | {"steps": records}, {f"step/{name}": a for name, a in arrays.items()}


def _unpacked(
    values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], start: SparseMLP
) -> list[PathStep]:
    records = values["steps"]
    return unpack_steps(records, io.below("step/", arrays), start.n_synapses) if records else []
