"""The trainings of a search: on folds, which judge sizes, and on all rows."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs
from synaprune.checkpoint import CheckpointFile
from synaprune.criteria import Criterion
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.pruning import Goal, LimitReached, Limits, Session, Sweep, sizes
from synaprune.search._candidates import CANDIDATES, Candidate
from synaprune.search._judged import Judged
from synaprune.search._kept import Kept
from synaprune.search._recipe import at_a_rate_that_converges, recipe_of_full
from synaprune.search._results import Fold, Run
from synaprune.tables import TableEncoder
from synaprune.targets import Split, Targets, Verdict, judged_rows, mean_by_row
from synaprune.training import STOP, Progress, Training

FOLDS = 5
_HELD_OUT = 5000  # rows from which one fifth, held out once, takes the place of folds
_JUDGEMENTS = 1000  # folds are repeated on small data until there are so many, but at most
_REPEATS = 3
_KEEP = 0.75


@dataclass(frozen=True, eq=False)
class Task:
    """The rows, and how networks are trained and judged on them."""

    inputs: Inputs
    targets: Targets
    training: Training
    seed: int
    encoder: TableEncoder | None
    input_names: Sequence[str] | None
    candidates: tuple[Candidate, ...] = CANDIDATES
    max_updates: int | None = None

    def identify(self, file: CheckpointFile, options: Mapping[str, Any]) -> None:
        """Say which search a checkpoint is of; raises unless it is this one."""
        targets = self.targets
        file.identify(
            "smallest_network",
            {
                "X": self.inputs,
                "y": targets.truth,
                "classes": targets.classes,
                "sample_weight": targets.weights,
                "validation rows": targets.n_judges,
            },
            {
                "seed": self.seed,
                "metric": targets.metric,
                "candidates": self.candidates,
                "max_updates": self.max_updates,
                "encoder": None if self.encoder is None else self.encoder.record(),
                "input_names": self.input_names,
                "training": self.training,
                **options,
            },
        )

    @property
    def _all(self) -> slice:
        """The rows that the final network is trained on."""
        return slice(len(self.inputs) - self.targets.n_judges)

    def run(
        self,
        candidate: Candidate,
        n_synapses: int,
        stream: Sequence[int],
        stop: threading.Event,
        rows: NDArray[np.intp] | None = None,
    ) -> Run:
        """Train a candidate on some rows, or all, and cut it through all sizes down to one."""
        return at_a_rate_that_converges(
            lambda lr: self._run_at(lr, candidate, n_synapses, stream, stop, rows)
        )

    def _run_at(
        self,
        lr: float,
        candidate: Candidate,
        n_synapses: int,
        stream: Sequence[int],
        stop: threading.Event,
        rows: NDArray[np.intp] | None,
    ) -> Run:
        losses = []

        def callback(progress: Progress) -> object:
            if progress.stage != "accepted":
                losses.append(progress.loss)
            return STOP if stop.is_set() else None

        at = self._all if rows is None else rows
        X, y = self.inputs[at], self.targets.of(at)
        weights = None if self.targets.weights is None else self.targets.weights[at]
        net = SparseMLP(
            self._layers(candidate),
            loss=self.targets.loss,
            init_scale=0.3,
            input_scaling="auto" if X.dtype == np.uint8 else "standard",
            seed=int(np.random.SeedSequence([self.seed, *stream]).generate_state(1)[0]),
        )
        net.input_names = self.input_names
        net.encoder = self.encoder
        recipe = recipe_of_full(self.training, candidate.l1, len(X), self.max_updates, lr)
        assert recipe.epochs is not None
        net.prepare(X, y, self.targets.classes)  # some rows may lack a rare class
        net._train(X, y, weights, training=recipe, threads=1, callback=callback)
        session = Session(
            net,
            X,
            y,
            weights,
            validation=(X, y),
            goal=Goal(n_synapses=n_synapses),
            criterion=Criterion("taylor2"),
            training=replace(recipe, epochs=None, lr_schedule=None),
            threads=1,
            callback=callback,
        )
        sweep = Sweep(_KEEP, retrain_epochs=max(1, math.ceil(recipe.epochs / 8)))
        session.path.stop_reason = sweep.run(session)
        return Run(session.path, losses)

    def _judge_all(self, net: SparseMLP) -> Verdict:
        return self.targets.judge(net, self.inputs[self._all], self._all)

    def loss(self, path: PruningPath) -> float:
        """Return the mean loss of a path's smallest network on all rows."""
        loss = self._judge_all(path.smallest).loss
        return float(np.average(loss, weights=self.targets.counts[self._all]))

    def step_back(
        self, path: PruningPath, least: float, learned: bool, max_synapses: int | None = None
    ) -> None:
        """Go back along the final path while its end is not what the folds promised.

        That is one answer to all rows where the folds saw several, or, on the rows that it was
        trained on, a score below what is expected on fresh ones: a training that went wrong.

        Parameters
        ----------
        path : PruningPath
        least : float
            The lowest score that is acceptable.
        learned : bool
            Whether the folds saw a network of this size do better than one answer.
        max_synapses : int, optional
            The most that may be there again.
        """
        most = math.inf if max_synapses is None else max_synapses
        while learned and len(path) > 1 and path.steps[-2].n_synapses <= most:
            verdict = self._judge_all(path.smallest)
            if verdict.varies and self.targets.score(verdict.told, self._all) >= least:
                return
            path.undo()

    def n_trainings(self) -> int:
        """Count the trainings that `judge` needs."""
        return len(self.candidates) * len(list(self._splits()))

    def judge(
        self,
        threads: int,
        tell: Callable[[int], None],
        max_synapses: int | None,
        kept: Kept,
        limits: Limits,
    ) -> tuple[Judged, str]:
        """Judge each size of each candidate on rows that it was not trained on.

        Returns
        -------
        judged : Judged
        stopped : str
            "" unless the time was over before all trainings were done; then what was.

        Raises
        ------
        TimeoutError
            If the time was over before any training was done.
        """
        splits = list(self._splits())
        tasks = {
            f"fold/{k}/{i}": partial(self._fold, candidate, split, (1, k))
            for k, split in enumerate(splits)
            for i, candidate in enumerate(self.candidates)
        }
        with Workers(threads) as workers:
            told = workers.run(tasks, tell, kept, limits)
        rounds, at = len(splits), list(range(len(self.candidates)))
        stopped = ""
        if len(told) < len(tasks):
            rounds = _whole(k for k in range(rounds) if all(f"fold/{k}/{i}" in told for i in at))
            if not rounds:
                rounds, at = 1, [i for i in at if f"fold/0/{i}" in told]
            if not at:
                raise TimeoutError(
                    f"time_limit={limits.time_limit:g} was over before the first network was "
                    "trained; allow more"
                )
            stopped = (
                f"The time limit was reached: {len(at)} of {len(self.candidates)} candidates were "
                f"judged, on {rounds} of {len(splits)} parts of the rows."
            )
            splits = splits[:rounds]
        return self._judged(told, splits, at, max_synapses), stopped

    def _judged(
        self,
        told: Mapping[str, Fold],
        splits: Sequence[Split],
        at: Sequence[int],
        max_synapses: int | None,
    ) -> Judged:
        """Return what some splits tell of some candidates."""
        candidates = [self.candidates[i] for i in at]
        folds = [[told[f"fold/{k}/{i}"] for k in range(len(splits))] for i in at]
        rows = judged_rows(splits)
        rounds = len(splits) // FOLDS
        folded = f"{FOLDS} folds" if rounds == 1 else f"{rounds} times {FOLDS} folds"
        losses = [
            mean_by_row([fold.loss for fold in of], splits, rows, len(self.inputs)) for of in folds
        ]
        return Judged(
            metric=self.targets.metric,
            candidates=[c for c in candidates for _ in self._sizes(c)],
            counts=[n for c in candidates for n in self._sizes(c)],
            max_synapses=max_synapses,
            scores=self.targets.scores([[fold.told for fold in of] for of in folds], splits, FOLDS),
            loss=np.concatenate(
                [np.average(loss, axis=1, weights=self.targets.counts[rows]) for loss in losses]
            ),
            varies=np.concatenate([np.any([fold.varies for fold in of], axis=0) for of in folds]),
            method=(f"{len(rows)} rows held out" if not rounds else folded)
            + ", corrected for the choice by bootstrap",
        )

    def _fold(
        self,
        candidate: Candidate,
        split: Split,
        stream: Sequence[int],
        stop: threading.Event,
    ) -> Fold:
        """Judge each size of a candidate that was trained on the other rows."""
        rows, held_out = split
        counts = self._sizes(candidate)
        path = self.run(candidate, counts[-1], stream, stop, rows).path
        X = self.inputs[held_out]
        verdicts: list[Verdict] = []
        step = -1
        for n in counts:
            at = next((s.step for s in path if s.n_synapses <= n), len(path) - 1)
            if at != step:
                step, verdict = at, self.targets.judge(path.network(at), X, held_out)
            verdicts.append(verdict)
        told, loss, varies = (np.array(part) for part in zip(*verdicts, strict=True))
        return Fold(told, loss, varies)

    def _sizes(self, candidate: Candidate) -> list[int]:
        layers = self._layers(candidate)
        n = sum(a * b for a, b in itertools.pairwise(layers))
        return list(sizes(n, min(n, len(layers) - 1), _KEEP))

    def _layers(self, candidate: Candidate) -> tuple[int, ...]:
        return (self.inputs.shape[1], *candidate.hidden, self.targets.n_outputs)

    def _splits(self) -> Iterator[Split]:
        """Generate stratified (training rows, held-out rows)."""
        n = len(self.inputs) - self.targets.n_judges
        if self.targets.n_judges:
            yield np.arange(n), np.arange(n, len(self.inputs))
            return
        once = n >= _HELD_OUT
        repeats = 1 if once else min(_REPEATS, max(1, _JUDGEMENTS // n))
        for repeat in range(repeats):
            fold = self.targets.folds(FOLDS, np.random.default_rng([self.seed, 0, repeat]))
            for k in range(1 if once else FOLDS):
                yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


class Workers:
    """Threads that run trainings side by side; the core trains without the GIL.

    Parameters
    ----------
    n : int
    """

    def __init__(self, n: int) -> None:
        self._pool = ThreadPoolExecutor(n)
        self._stop = threading.Event()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()  # an exception, Ctrl-C among them, ends what still runs
        self._pool.shutdown(cancel_futures=True)

    def run(
        self,
        tasks: Mapping[str, Callable[[threading.Event], Any]],
        tell: Callable[[int], None],
        kept: Kept,
        limits: Limits,
    ) -> dict[str, Any]:
        """Return the results by the tasks' names; tell how many are done after each.

        Those that are kept are not worked at again. When the time is over, those that are not done
        are missing.
        """
        done: dict[str, Any] = {}
        for name in tasks:
            if (result := kept.get(name)) is not None:
                done[name] = result
        if done:
            tell(len(done))
        futures = {
            self._pool.submit(task, self._stop): name
            for name, task in tasks.items()
            if name not in done
        }
        waiting = set(futures)
        with suppress(LimitReached):
            while waiting:
                limits.check_time()
                left = limits.seconds_left
                most = 0.2 if left is None else min(0.2, left)  # and then signals are looked at
                finished, waiting = wait(waiting, timeout=most, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = futures[future]
                    done[name] = future.result()
                    kept.put(name, done[name])
                    tell(len(done))
        return done


def _whole(splits: Iterable[int]) -> int:
    """Return how many splits, the first ones of some, make whole rounds, or fewer than one."""
    n = sum(1 for place, split in enumerate(splits) if place == split)
    return n if n < FOLDS else n - n % FOLDS
