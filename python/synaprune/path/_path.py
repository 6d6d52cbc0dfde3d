"""`PruningPath`: every accepted network of a run, from the full one to the smallest."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from synaprune.network import SparseMLP
from synaprune.path._accepted import AcceptedNetworks
from synaprune.path._files import UNFIT, no_path, read_path, write_path
from synaprune.path._select import select, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FACTS = ("epochs", "verdict", "options", "data_sha256")  # of the run, saved along


class PruningPath(AcceptedNetworks):
    """The accepted networks of one run of `prune`, and what it cost.

    A step takes 8 bytes a living synapse and 4 a hidden neuron or output, and 4 more for each of
    both where momentum was used, 8 with Adam (`PathStep.n_bytes`); structure and initial weights of
    the full network are kept once. Training goes on from a step's network as it would have gone on
    at that time, to the bit.

    Parameters
    ----------
    start : SparseMLP
        The network that step 0 is; copied.

    Attributes
    ----------
    steps : list of PathStep
    epochs : int
        Epochs trained in the whole run, rejected attempts included.
    verdict : str
        Why the run ended.
    options : dict
        JSON values that were in force, saved along.
    data_sha256 : str or None
        Hash of the data, if the caller knows it; saved along.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 6, 1), seed=0)
    >>> path = sn.prune(net.fit(*data.train), *data.train, validation=data.validation,
    ...                 n_synapses=6, training=sn.Training(10))
    >>> [step.n_synapses for step in path.steps][0], path.smallest.n_synapses <= 6
    (18, True)
    """

    def __init__(self, start: SparseMLP) -> None:
        super().__init__(start)
        self.epochs = 0
        self.verdict = ""
        self.options: dict[str, Any] = {}
        self.data_sha256: str | None = None

    def select(
        self,
        *,
        n_synapses: int | None = None,
        min_accuracy: float | None = None,
        n_inputs: int | None = None,
    ) -> SparseMLP:
        """Return the smallest network that meets all that is given.

        Parameters
        ----------
        n_synapses, n_inputs : int, optional
            At most so many.
        min_accuracy : float, optional
            At least this accuracy on the validation split, a fraction (or another number, if the
            path was judged by a metric of yours).

        Returns
        -------
        SparseMLP

        Raises
        ------
        ValueError
            If no step meets it; the message names the nearest.
        """
        step = select(self.steps, n_synapses, n_inputs, min_accuracy)
        return self.network(step.step)

    def table(self) -> str:
        """Return the path as a text table, one line a step, with bounds where there are any."""
        return table(self.steps)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw accuracy on the validation split against synapses, a point a step.

        Needs matplotlib: ``pip install "synaprune[plot]"``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; several paths may share one. A new figure if left out.

        Returns
        -------
        matplotlib Axes
            Its x axis is logarithmic. The dashed line is the accuracy of step 0, the ring the
            smallest network.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError, ValueError
            If ``ax`` is no Axes, or the path is empty.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> path.plot().figure.savefig("path.png")  # doctest: +SKIP
        """
        from synaprune.plots import plot_path

        return plot_path(self, ax)

    def report(
        self,
        file: str | os.PathLike[str],
        *,
        validation: Any = None,
        test: Any = None,
        image_shape: tuple[int, int] | None = None,
    ) -> None:
        """Write one self-contained page about the smallest network; see `report.write_report`.

        Parameters
        ----------
        file : path-like
            An HTML file.
        validation, test : (X, y), optional
            Samples by which parts are labelled, and fresh ones that prove it again. Without them
            the sections that need samples say so.
        image_shape : (int, int), optional
            Rows and columns, where the inputs are an image.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, or the path is empty.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> path.report("xor.html", validation=data.validation)  # doctest: +SKIP
        """
        from synaprune.report import write_report

        write_report(file, self, validation=validation, test=test, image_shape=image_shape)

    def to_json(self) -> str:
        """Return the steps' figures as a JSON array."""
        return json.dumps([s.record() for s in self.steps])

    def __repr__(self) -> str:
        if not self.steps:
            return "PruningPath(empty)"
        first, last = self.steps[0], self.steps[-1]
        return (
            f"PruningPath({len(self.steps)} steps, {first.structure} → {last.structure}, "
            f"{first.n_synapses} → {last.n_synapses} synapses, "
            f"accuracy {first.accuracy:.4f} → {last.accuracy:.4f})"
        )

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file with the smallest network and the whole path.

        Equal runs give equal bytes. `SparseMLP.load` reads the network alone.

        Parameters
        ----------
        path : path-like
            An older file is replaced only when the new one is whole.

        Raises
        ------
        ValueError
            If the path is empty.
        OSError
            If it cannot be written.
        """
        if not self.steps:
            raise ValueError("the path has no step to save")
        facts = {name: getattr(self, name) for name in _FACTS}
        write_path(path, self._start, self.smallest, self.steps, facts)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PruningPath:
        """Read a path that `save` wrote.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        PruningPath

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If it is not a whole and unaltered model file, or holds a network without a path.
        """
        start, steps, facts = read_path(path)
        loaded = cls(start)
        try:
            for name in _FACTS:
                setattr(loaded, name, facts[name])
            loaded.steps = steps
            for step in loaded:
                if loaded.network(step.step).n_synapses != step.n_synapses:
                    raise ValueError(f"step {step.step} does not hold {step.n_synapses} synapses")
        except UNFIT as error:
            raise no_path(path, error) from error
        return loaded
