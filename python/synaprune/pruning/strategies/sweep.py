"""`Sweep`: cut and retrain through all sizes, and keep every one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from synaprune.checks import check_float, check_int
from synaprune.options import option
from synaprune.pruning.goal import Goal
from synaprune.pruning.session import Session
from synaprune.pruning.strategies._strategy import Strategy
from synaprune.training import ConstantThenCosine, Training


@dataclass(frozen=True)
class Sweep(Strategy):
    """Cut a trained network by equal shares down to a count, and accept all on the way.

    Goes with the goal `n_synapses`, for where the size is chosen afterwards, as `smallest_network`
    chooses it: the path holds one trained network of each size. Sizes depend on the first network
    and on `keep_share` alone, but for synapses that dead neurons take along, so that paths from
    different folds of the data can be compared.

    Parameters
    ----------
    keep_share : float
        Share of the synapses that each cut keeps.
    retrain_epochs : int
        Epochs after each cut, in which the learning rate falls along a half cosine.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 8, 1), init_scale=1.0, seed=0).fit(*data.train)
    >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=8,
    ...                 strategy=sn.Sweep(keep_share=0.7))
    >>> [step.n_synapses for step in path]
    [24, 15, 6]
    """

    keep_share: float = option(0.75, "share of the synapses that each cut keeps", metavar="S")
    retrain_epochs: int = option(20, "maximum epochs after a cut", metavar="N")

    def __post_init__(self) -> None:
        check_float("keep_share", self.keep_share, 0.0, 1.0, open_low=True)
        if self.keep_share == 1.0:
            raise ValueError("keep_share must be below 1, got 1.0")
        check_int("retrain_epochs", self.retrain_epochs, 1)

    def check(self, goal: Goal, training: Training) -> None:
        """Raise a ValueError unless the goal is a count of synapses, and the recipe has no own."""
        if goal.n_synapses is None or goal.n_inputs is not None:
            raise ValueError(f"strategy Sweep goes with n_synapses alone, got {goal}")
        by = f"strategy Sweep, which retrains for retrain_epochs={self.retrain_epochs}"
        training.refuse("epochs", "lr_schedule", "swa_epochs", by=by)

    def run(self, session: Session) -> str:
        """Cut and retrain down to the goal's count; see `Strategy.run`."""
        net, target = session.net, session.goal.n_synapses
        assert target is not None
        counts = [n for n in sizes(net.n_synapses, target, self.keep_share) if n < net.n_synapses]
        session.planned = self.retrain_epochs * len(counts)
        full = session.judge()
        session.accept(full, epochs=0, score_after_cut=full.score)
        for n in counts:
            if net.n_synapses <= n:  # dead neurons took theirs along
                continue
            session.unit(lambda: self._cut_to(session, n))  # noqa: B023 - called at once
        return f"reached {net.n_synapses} synapses (target {target})"

    def _cut_to(self, session: Session, n: int) -> bool:
        session.cut(session.net.n_synapses - n)
        after_cut = session.judge()
        for _ in session.train(self.retrain_epochs, ConstantThenCosine(turn=0.0)):
            session.notify("retrain", None)
        judged = session.judge()
        session.accept(judged, epochs=self.retrain_epochs, score_after_cut=after_cut.score)
        return True


def sizes(start: int, target: int, keep: float) -> Iterator[int]:
    """Generate the counts of synapses from a start down to a target, both included.

    Parameters
    ----------
    start, target : int
    keep : float
        Share of a count that the next one is, rounded down; each is at least one lower.

    Examples
    --------
    >>> list(sizes(24, 8, 0.7))
    [24, 16, 11, 8]
    """
    n = max(start, target)
    yield n
    while n > target:
        n = max(target, min(n - 1, int(n * keep)))
        yield n
