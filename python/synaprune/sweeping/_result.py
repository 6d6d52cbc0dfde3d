"""`SweepResult`: what the runs of a sweep ended with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synaprune.checks import check_int
from synaprune.network import SparseMLP
from synaprune.plots import plot_sweep
from synaprune.sweeping._runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult:
    """The runs of a sweep, and which of them no other run beats.

    Attributes
    ----------
    columns : dict of list
        A value a run: each option of the grid by its name, "seed", and what came out: "structure",
        "n_synapses", "n_inputs", "train_score", "validation_score", "test_score" (if there is a
        test split), "epochs_trained", "seconds" and "error", "" for a run that ended well; the
        others have None.
    records : list of dict
        JSON values of each run, with all steps of its path, as ``synaprune prune --json`` writes
        them; of a run that failed its error.
    metric : str
        What the scores are.
    """

    columns: dict[str, list[Any]]
    records: list[dict[str, Any]]
    metric: str
    _networks: list[Run | None]

    @property
    def front(self) -> list[int]:
        """Positions of the runs that no other run beats in size and score: the Pareto front.

        Returns
        -------
        list of int
            From the smallest network on, by "n_synapses" and "validation_score". The best of many
            runs is lucky on the rows that it was chosen by: what to expect is its test score.
        """
        sizes, scores = self.columns["n_synapses"], self.columns["validation_score"]
        ended = [i for i, size in enumerate(sizes) if size is not None]
        front: list[int] = []
        for i in sorted(ended, key=lambda i: (sizes[i], -scores[i], i)):
            if not front or scores[i] > scores[front[-1]]:
                front.append(i)
        return front

    def network(self, i: int) -> SparseMLP:
        """Return the smallest network of a run.

        Parameters
        ----------
        i : int
            Its position; negative ones count from the end.

        Returns
        -------
        SparseMLP

        Raises
        ------
        IndexError
            If there is no such run.
        ValueError
            If it failed.
        """
        run = self._networks[check_int("i", i, -(2**31))]
        if run is None:
            raise ValueError(f"run {i} failed: {self.columns['error'][i]}")
        return SparseMLP.from_state(run.record["network"], dict(run.arrays))

    def table(self) -> Any:
        """Return the columns as a DataFrame of pandas, or as they are where pandas is missing.

        Returns
        -------
        DataFrame or dict of list
        """
        try:
            import pandas as pd
        except ImportError:
            return self.columns
        return pd.DataFrame(self.columns)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the score on the validation split against synapses, a point a run, and the front.

        Needs matplotlib: ``pip install "synaprune[plot]"``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure if left out.

        Returns
        -------
        matplotlib Axes
        """
        return plot_sweep(self, ax)

    def __len__(self) -> int:
        """Count the runs."""
        return len(self.records)

    def __repr__(self) -> str:
        """Tell how many runs there are, and the ends of the front."""
        failed = sum(map(bool, self.columns["error"]))
        failures = f", {failed} failed" if failed else ""
        front = self.front
        sizes, scores = self.columns["n_synapses"], self.columns["validation_score"]
        ends = " to ".join(
            f"{sizes[i]} synapses ({scores[i]:.4g})" for i in dict.fromkeys([front[0], front[-1]])
        )
        return f"SweepResult({len(self)} runs{failures}; front of {len(front)}: {ends})"


def result_of(runs: list[tuple[dict[str, Any], int, Run]]) -> SweepResult:
    """Make a result of options, seed and run of each, of which one has ended well."""
    records = [run.record["run"] for _, _, run in runs]
    columns: dict[str, list[Any]] = {
        name: [options.get(name) for options, _, _ in runs]
        for name in dict.fromkeys(name for options, _, _ in runs for name in options)
    }
    columns["seed"] = [seed for _, seed, _ in runs]
    finals = [record.get("final", {}) for record in records]
    for name in ("structure", "n_synapses", "n_inputs"):
        columns[name] = [final.get(name) for final in finals]
    known = {split for final in finals for split in final.get("score", ())}
    for split in filter(known.__contains__, _SPLITS):
        columns[f"{split}_score"] = [final.get("score", {}).get(split) for final in finals]
    columns["epochs_trained"] = [record.get("epochs") for record in records]
    columns["seconds"] = [record.get("seconds") for record in records]
    columns["error"] = [record.get("error", "") for record in records]
    networks = [run if "network" in run.record else None for _, _, run in runs]
    metric = next(record["options"]["metric"] for record in records if "options" in record)
    return SweepResult(columns, records, metric, networks)
