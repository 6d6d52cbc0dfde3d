"""`Strategy`: when to cut, how much, and what to train in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from synaprune.pruning.goal import Goal
from synaprune.pruning.session import Session
from synaprune.training import Training


class Strategy(ABC):
    """A way to prune a network; a subclass is all that it takes to add one.

    Make it a frozen dataclass whose fields are its options.

    Attributes
    ----------
    starts_trained : bool
        Whether it prunes a network that has been trained. If not, it trains the network itself,
        which may be fresh.

    Examples
    --------
    >>> import synaprune as sn
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class OneShot(sn.Strategy):
    ...     retrain_epochs: int = 20
    ...
    ...     def run(self, session):
    ...         full = session.judge()
    ...         session.accept(full, epochs=0, score_after_cut=full.score)
    ...         session.cut(session.net.n_synapses - session.goal.n_synapses)
    ...         after_cut = session.judge()
    ...         for _ in session.train(self.retrain_epochs):
    ...             session.notify("retrain", None)
    ...         session.accept(session.judge(), epochs=self.retrain_epochs,
    ...                        score_after_cut=after_cut.score)
    ...         return "one cut is made"
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 8, 1), seed=0).fit(*data.train)
    >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=9,
    ...                 strategy=OneShot())
    >>> [step.n_synapses for step in path]
    [24, 9]
    """

    starts_trained: ClassVar[bool] = True

    def check(self, goal: Goal, training: Training) -> None:  # noqa: B027 - none is needed
        """Raise a ValueError that names both if the goal or the recipe does not fit.

        Parameters
        ----------
        goal : Goal
        training : Training
        """

    @abstractmethod
    def run(self, session: Session) -> str:
        """Prune the session's network, and return why it ended.

        Parameters
        ----------
        session : Session
            Its path holds what was accepted; the last of it is the smallest network.
        """
