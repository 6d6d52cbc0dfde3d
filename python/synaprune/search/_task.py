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
from synaprune.search._recipe import at_a_rate_that_converges, recipe_of_full, recipe_towards
from synaprune.search._results import Fold, Run
from synaprune.tables import TableEncoder
from synaprune.targets import Split, Targets, Verdict, judged_rows, mean_by_row
from synaprune.training import STOP, Progress, Training

FOLDS = 5
_HELD_OUT = 5000  # rows from which one fifth, held out once, takes the place of folds
_JUDGEMENTS = 1000  # folds are repeated on small data until there are so many, but at most
_REPEATS = 3
_KEEP = 0.75
_TOO_SHORT = "time_limit={:g} was over before the first network was trained; allow more"
ROUNDS = (1 / 48, 1 / 16, 3 / 16)  # of a whole training: candidates towards a count compete
_SURVIVORS = 3  # one of so many enters the next round
_SHOWN = 5000  # training rows, at most, that the scores of a path towards a count are of


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

        def run_at(lr: float) -> Run:
            net, X, y, weights = self._start(candidate, 0.3, "auto", stream, rows)
            recipe = replace(
                recipe_of_full(self.training, candidate.l1, len(X), self.max_updates, lr),
                augment=candidate.augment,
            )
            assert recipe.epochs is not None
            losses = Losses(stop)
            net._train(X, y, weights, training=recipe, threads=1, callback=losses)
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
                callback=losses,
            )
            sweep = Sweep(_KEEP, retrain_epochs=max(1, math.ceil(recipe.epochs / 8)))
            session.path.stop_reason = sweep.run(session)
            return Run(session.path, list(losses))

        return at_a_rate_that_converges(run_at)

    def run_towards(
        self,
        candidate: Candidate,
        n_synapses: int,
        work: float,
        stream: Sequence[int],
        stop: threading.Event,
        rows: NDArray[np.intp] | None = None,
    ) -> Run:
        """Train a candidate on some rows, or all, and cut it down to a count on the way.

        One that is to be retrained is cut afterwards, and takes no account of `work`.
        """
        if candidate.retrain:
            return self.run(candidate, n_synapses, stream, stop, rows)

        def run_at(lr: float) -> Run:
            net, X, y, weights = self._start(candidate, 1.0, "center", stream, rows)
            recipe, gradual = recipe_towards(
                self.training, candidate, len(X), net.n_synapses, n_synapses, work, lr, rows is None
            )
            some = np.arange(min(len(X), _SHOWN)) * len(X) // min(len(X), _SHOWN)
            losses = Losses(stop)
            session = Session(
                net,
                X,
                y,
                weights,
                validation=(X[some], y[some]),
                goal=Goal(n_synapses=n_synapses),
                criterion=Criterion("fisher"),
                training=recipe,
                threads=1,
                callback=losses,
            )
            session.path.stop_reason = gradual.run(session)
            return Run(session.path, list(losses))

        return at_a_rate_that_converges(run_at)

    def _start(
        self,
        candidate: Candidate,
        init_scale: float,
        scaling_of_bytes: str,
        stream: Sequence[int],
        rows: NDArray[np.intp] | None,
    ) -> tuple[SparseMLP, Inputs, Any, NDArray[np.float64] | None]:
        """Return a candidate's fresh network, and what it is trained on: some rows, or all."""
        at = self._all if rows is None else rows
        X, y = self.inputs[at], self.targets.of(at)
        weights = None if self.targets.weights is None else self.targets.weights[at]
        net = SparseMLP(
            self._layers(candidate),
            activation=candidate.activation,
            loss=self.targets.loss,
            init_scale=init_scale,
            input_scaling=scaling_of_bytes if X.dtype == np.uint8 else "standard",
            seed=int(np.random.SeedSequence([self.seed, *stream]).generate_state(1)[0]),
        )
        net.input_names = self.input_names
        net.encoder = self.encoder
        net.prepare(X, y, self.targets.classes)  # some rows may lack a rare class
        return net, X, y, weights

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
                raise TimeoutError(_TOO_SHORT.format(limits.time_limit))
            stopped = (
                f"The time limit was reached: {len(at)} of {len(self.candidates)} candidates were "
                f"judged, on {rounds} of {len(splits)} parts of the rows."
            )
            splits = splits[:rounds]
        folds = {i: [told[f"fold/{k}/{i}"] for k in range(rounds)] for i in at}
        counts = {i: self._sizes(self.candidates[i]) for i in at}
        return self._judged(folds, counts, splits, max_synapses), stopped

    def judge_towards(
        self,
        n_synapses: int,
        effort: float,
        threads: int,
        tell: Callable[[int], None],
        kept: Kept,
        limits: Limits,
    ) -> tuple[Judged, str, list[float]]:
        """Judge candidates that are cut to a count: the best third of a round enters the next.

        Each round trains longer than the one before (successive halving; Jamieson and Talwalkar,
        2016). Candidates that are to be retrained, whose trainings are whole ones, enter the last.

        Returns
        -------
        judged : Judged
        stopped : str
        works : list of float
            How long each candidate is to be trained on all rows: as in its last round where its
            loss on the rows left out was higher there than in the round before, by more than a
            standard error, else a whole training.

        Parameters and errors are those of `judge`.
        """
        at, late = self._by_round()
        splits = list(self._splits())
        rows = judged_rows(splits)
        judged, stopped, before = None, "", 0
        works: list[float] = []
        losses: dict[int, NDArray[np.float64]] = {}  # of the round before
        for place, share in enumerate(ROUNDS):
            if place == len(ROUNDS) - 1:
                at = [*at, *late]
            if not at:
                continue
            tasks = {
                f"round/{place}/{k}/{i}": partial(
                    self._fold_towards, self.candidates[i], n_synapses, share * effort, split, k
                )
                for k, split in enumerate(splits)
                for i in at
            }
            with Workers(threads) as workers:
                told = workers.run(tasks, partial(_tell_more, tell, before), kept, limits)
            before += len(tasks)
            names = {i: [f"round/{place}/{k}/{i}" for k in range(len(splits))] for i in at}
            folds = {i: [told[n] for n in of] for i, of in names.items() if told.keys() >= set(of)}
            if folds and (judged is None or len(folds) == len(at)):
                judged = self._judged(folds, {i: [n_synapses] for i in folds}, splits)
                now = {i: self._loss_by_row(of, splits, rows)[0] for i, of in folds.items()}
                weights = self.targets.counts[rows]
                works = [
                    share if i in losses and _rises(losses[i], loss, weights) else 1.0
                    for i, loss in now.items()
                ]
                losses = now
            if len(folds) < len(at):
                stopped = f"The time limit was reached in round {place + 1} of {len(ROUNDS)}."
                break
            assert judged is not None
            at = [at[i] for i in judged.ranking()[: math.ceil(len(at) / _SURVIVORS)]]
        if judged is None:
            raise TimeoutError(_TOO_SHORT.format(limits.time_limit))
        return judged, stopped, works

    def n_trainings_towards(self) -> int:
        """Count the trainings that `judge_towards` needs."""
        at, late = self._by_round()
        n, in_all = len(at), len(late)
        for _ in ROUNDS:
            in_all += n
            n = math.ceil(n / _SURVIVORS)
        return in_all * len(list(self._splits()))

    def _by_round(self) -> tuple[list[int], list[int]]:
        """Return the candidates that compete from the first round on, and those of the last."""
        late = [i for i, candidate in enumerate(self.candidates) if candidate.retrain]
        return [i for i in range(len(self.candidates)) if i not in late], late

    def _judged(
        self,
        folds: Mapping[int, Sequence[Fold]],
        counts: Mapping[int, Sequence[int]],
        splits: Sequence[Split],
        max_synapses: int | None = None,
    ) -> Judged:
        """Return what all splits tell of some candidates, each at its counts of synapses."""
        candidates = [self.candidates[i] for i in folds]
        rows = judged_rows(splits)
        rounds = len(splits) // FOLDS
        folded = f"{FOLDS} folds" if rounds == 1 else f"{rounds} times {FOLDS} folds"
        losses = [self._loss_by_row(of, splits, rows) for of in folds.values()]
        return Judged(
            metric=self.targets.metric,
            candidates=[c for i, c in zip(folds, candidates, strict=True) for _ in counts[i]],
            counts=[n for i in folds for n in counts[i]],
            max_synapses=max_synapses,
            scores=self.targets.scores(
                [[fold.told for fold in of] for of in folds.values()], splits, FOLDS
            ),
            loss=np.concatenate(
                [np.average(loss, axis=1, weights=self.targets.counts[rows]) for loss in losses]
            ),
            varies=np.concatenate(
                [np.any([fold.varies for fold in of], axis=0) for of in folds.values()]
            ),
            method=(f"{len(rows)} rows held out" if not rounds else folded)
            + ", corrected for the choice by bootstrap",
        )

    def _loss_by_row(
        self, of: Sequence[Fold], splits: Sequence[Split], rows: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return the loss at each size of a candidate on each row that was judged."""
        return mean_by_row([fold.loss for fold in of], splits, rows, len(self.inputs))

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

    def _fold_towards(
        self,
        candidate: Candidate,
        n_synapses: int,
        work: float,
        split: Split,
        k: int,
        stop: threading.Event,
    ) -> Fold:
        """Judge a candidate that was cut to a count on the other rows."""
        rows, held_out = split
        net = self.run_towards(candidate, n_synapses, work, (1, k), stop, rows).path.smallest
        told, loss, varies = self.targets.judge(net, self.inputs[held_out], held_out)
        return Fold(told[None], loss[None], np.array([varies]))

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


class Losses(list[float]):
    """A callback that keeps the mean training loss of each epoch, and ends a run when told to.

    Parameters
    ----------
    stop : threading.Event
    """

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def __call__(self, progress: Progress) -> object:
        """Keep the loss; returns `STOP` if the run is to end."""
        if progress.stage != "accepted":
            self.append(progress.loss)
        return STOP if self._stop.is_set() else None


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


def _rises(
    before: NDArray[np.float64], after: NDArray[np.float64], weights: NDArray[np.float64]
) -> bool:
    """Return whether the mean over rows has grown by more than its standard error."""
    grown = after - before
    mean = np.average(grown, weights=weights)
    variance = np.average((grown - mean) ** 2, weights=weights)
    return bool(mean > math.sqrt(variance / len(grown)))


def _tell_more(tell: Callable[[int], None], before: int, done: int) -> None:
    tell(before + done)


def _whole(splits: Iterable[int]) -> int:
    """Return how many splits, the first ones of some, make whole rounds, or fewer than one."""
    n = sum(1 for place, split in enumerate(splits) if place == split)
    return n if n < FOLDS else n - n % FOLDS
