"""Ready-made callbacks: when they stop, what they keep, and that they change nothing else."""

import pickle
import sys

import numpy as np
import pytest
import synaprune as sn
from synaprune import job
from synaprune.callbacks import Callbacks, Checkpoint, EarlyStopping, ProgressBar

MOMENTUM = sn.SGD(lr=0.1, momentum=0.9)
ITERATIVE = {
    "max_drop": 0.03,
    "strategy": sn.Iterative(retrain_epochs=4, search_budget=0.5),
    "training": sn.Training(batch_size=16, optimizer=sn.SGD(lr=0.1)),
}
GRADUAL = {"n_synapses": 20, "training": sn.Training(12, batch_size=16)}
SWEEP = {"n_synapses": 8, "strategy": sn.Sweep(retrain_epochs=3)}
strategies = pytest.mark.parametrize("target", [ITERATIVE, GRADUAL, SWEEP])


def recipe(epochs):
    return sn.Training(epochs, batch_size=16, optimizer=MOMENTUM)


class Scripted:
    """A metric that says what it was told to, after one call that checks it."""

    def __init__(self, *scores):
        self.scores, self.calls = scores, -1

    def __call__(self, truth, predicted):
        self.calls += 1
        return self.scores[max(0, self.calls - 1)]


@pytest.fixture
def fresh():
    """A network that `data` fits, and that was never trained."""
    return sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=3)


# --- early stopping ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "patience", "min_delta", "epochs", "best"),
    [
        ((0.5, 0.6, 0.6, 0.5), 2, 0.0, 4, 2),
        ((0.5, 0.4, 0.6, 0.4, 0.5), 2, 0.0, 5, 3),
        ((0.5, 0.5), 1, 0.0, 2, 1),
        ((0.5, 0.55, 0.6), 2, 0.2, 3, 3),  # better, but not by enough: kept, and patience is over
        ((-3.0, -2.0, -2.5, -2.25), 2, 0.5, 4, 2),
    ],
)
def test_patience_counts_epochs_without_improvement(
    data, fresh, whole, scores, patience, min_delta, epochs, best
):
    stopping = EarlyStopping(
        *data, metric=Scripted(*scores), patience=patience, min_delta=min_delta
    )
    seen = []
    both = Callbacks([stopping, lambda p: seen.append(p.epoch)])
    fresh.fit(*data, training=recipe(9), callback=both)
    assert seen == list(range(1, epochs + 1))
    assert (stopping.best_epoch, stopping.best_score) == (best, max(scores))
    other = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=3).fit(*data, training=recipe(best))
    assert whole(fresh) == whole(other) == whole(stopping.best_network)


@pytest.mark.parametrize("end", ["epochs", "STOP", "error", "interrupt"])
def test_however_it_ends_the_network_is_that_of_the_best_epoch(data, fresh, whole, end):
    class OddError(Exception):
        pass

    def third(progress):
        if progress.epoch == 3 and end == "STOP":
            return sn.STOP
        if progress.epoch == 3 and end != "epochs":
            raise OddError if end == "error" else KeyboardInterrupt
        return None

    stopping = EarlyStopping(*data, metric=Scripted(0.1, 0.9, 0.2))
    both = Callbacks([stopping, third])
    if end in ("epochs", "STOP"):
        fresh.fit(*data, training=recipe(3), callback=both)
    else:
        with pytest.raises((OddError, KeyboardInterrupt)):
            fresh.fit(*data, training=recipe(9), callback=both)
    other = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=3).fit(*data, training=recipe(2))
    assert whole(fresh) == whole(other)


def test_a_training_that_diverges_is_undone_as_a_whole(data, trained, whole):
    net = trained()
    before = whole(net)
    seen = []
    both = Callbacks([EarlyStopping(*data), lambda p: seen.append(p.epoch)])
    grows = sn.Training(6, optimizer=sn.SGD(lr=0.1), lr_schedule=lambda done: 1e30 ** (done > 0.4))
    with pytest.raises(sn.TrainingDiverged):
        net.fit(*data, training=grows, callback=both)
    assert seen == [1, 2, 3]
    assert whole(net) == before


def test_the_average_of_the_last_epochs_is_judged_as_the_last_epoch(data, fresh):
    scores = Scripted(0.1, 0.2, 0.3, 0.9)
    training = sn.Training(4, batch_size=16, swa_epochs=3)
    fresh.fit(*data, training=training, callback=EarlyStopping(*data, metric=scores))
    other = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=3).fit(*data, training=training)
    assert all(
        (a.values == b.values).all() for a, b in zip(fresh.weights, other.weights, strict=True)
    )


def test_the_rows_judge_and_are_not_trained_on(data, fresh):
    X, y = data
    copies = X.copy(), y.copy()
    plain, judged = [], []
    for losses, others in ((plain, []), (judged, [EarlyStopping(X[:30], y[:30], patience=99)])):
        both = Callbacks([*others, lambda p, losses=losses: losses.append(p.loss)])
        fresh.copy().fit(X, y, training=recipe(6), callback=both)
    assert plain == judged
    assert (copies[0] == X).all()
    assert (copies[1] == y).all()


def test_accuracy_and_r2_are_judged_unless_a_metric_is_given(data, fresh):
    stopping = EarlyStopping(*data)
    fresh.fit(*data, training=recipe(3), callback=stopping)
    assert stopping.best_score == fresh.score(*data)
    auc = EarlyStopping(fresh.check_data(*data), metric="roc_auc")
    fresh.fit(*data, training=recipe(3), callback=auc)
    assert 0.5 < auc.best_score <= 1.0
    numbers = data[0] @ [1.0, 2.0, 0.0, 0.0]
    net = sn.SparseMLP((4, 6, 1), loss="squared_error", input_scaling="standard")
    for metric in (None, "neg_mean_absolute_error"):
        stopping = EarlyStopping(data[0], numbers, metric=metric)
        net.fit(data[0], numbers, training=sn.Training(5), callback=stopping)
        if metric is None:
            assert stopping.best_score == net.score(data[0], numbers)
        else:
            errors = np.abs(net.predict(data[0]) - numbers)
            assert stopping.best_score == pytest.approx(-errors.mean(), rel=1e-12)


def test_each_training_begins_anew(data, fresh):
    stopping = EarlyStopping(*data, metric=Scripted(0.9, 0.8, 0.7), patience=2)
    fresh.fit(*data, training=recipe(9), callback=stopping)
    assert (stopping.best_epoch, stopping.best_score) == (1, 0.9)
    stopping._judge.metric = Scripted(0.1, 0.2, 0.1, 0.1)
    fresh.fit(*data, training=recipe(9), callback=stopping)
    assert (stopping.best_epoch, stopping.best_score) == (2, 0.2)


@strategies
def test_prune_counts_accepted_networks_and_keeps_them(target, trained3, bits):
    net, X, y = trained3()
    full = sn.prune(net, X, y, validation=(X, y), **target)
    seen = []
    stopping = EarlyStopping(X, y, metric=lambda t, p: 0.5, patience=2)
    both = Callbacks([stopping, lambda p: seen.append((p.stage, p.network))])
    path = sn.prune(net, X, y, validation=(X, y), callback=both, **target)
    assert path.stop_reason == "ended by the callback"
    assert len(path) == 3
    assert [bits(path.network(i)) for i in range(3)] == [bits(full.network(i)) for i in range(3)]
    assert all((network is not None) == (stage == "accepted") for stage, network in seen)
    kept = [network for _, network in seen if network is not None]
    assert [bits(n) for n in kept] == [bits(path.network(i)) for i in range(3)]  # none is reset
    assert bits(stopping.best_network) == bits(path.network(0))


@strategies
def test_callbacks_do_not_change_what_prune_does(target, trained3, tmp_path):
    net, X, y = trained3()

    def spoil(progress):
        if progress.network is not None:
            progress.network.reset()

    every = Callbacks(
        [EarlyStopping(X, y, patience=999), Checkpoint(tmp_path / "a.npz", X, y), spoil]
    )
    path = sn.prune(net, X, y, validation=(X, y), callback=every, **target)
    quiet = sn.prune(net, X, y, validation=(X, y), **target)
    assert path.to_json() == quiet.to_json()
    assert path.stop_reason == quiet.stop_reason


# --- errors come before any work -----------------------------------------------------------------

CHECKED = sn.SparseMLP((4, 1)).fit(np.eye(4), [0, 1, 0, 1]).check_data(np.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.eye(4),), {}, TypeError, "^X_val and y_val must be given"),
        ((None, [0, 1]), {}, TypeError, "^X_val and y_val must be given"),
        ((CHECKED, [0, 1, 0, 1]), {}, TypeError, "^y_val must be left out where X_val is a Ch"),
        ((CHECKED,), {"metric": "acuracy"}, ValueError, "^metric must be one of accuracy, "),
        ((CHECKED,), {"metric": 3}, TypeError, "^metric must be a name or a callable, got 3"),
        ((CHECKED,), {"patience": 0}, ValueError, "^patience must be from 1 to "),
        ((CHECKED,), {"patience": 2.5}, TypeError, "^patience must be an int, got float"),
        ((CHECKED,), {"min_delta": -0.1}, ValueError, "^min_delta must be finite and in"),
    ],
)
def test_arguments_are_checked_when_it_is_made(arguments, options, error, message):
    with pytest.raises(error, match=message):
        EarlyStopping(*arguments, **options)
    if "patience" not in options and "min_delta" not in options:
        with pytest.raises(error, match=message):
            Checkpoint("net.npz", *arguments, **options)


def test_other_arguments_are_checked_when_one_is_made():
    with pytest.raises(TypeError, match=r"^path must be a path, got 3"):
        Checkpoint(3)
    with pytest.raises(TypeError, match=r"^X_val and y_val must be given"):
        Checkpoint("net.npz", metric="accuracy")
    with pytest.raises(TypeError, match=r"^callbacks must be an iterable of callables, got 3"):
        Callbacks(3)
    with pytest.raises(TypeError, match=r"^each of callbacks must be a callable, got None"):
        Callbacks([print, None])


@pytest.mark.parametrize("kind", ["EarlyStopping", "Checkpoint"])
@pytest.mark.parametrize(
    ("rows", "metric", "message"),
    [
        ((np.eye(5), [0, 1, 0, 1, 0]), None, "^validation X must have 4 columns"),
        ((np.eye(4), [0, 1, 0]), None, "^validation y must"),
        ((np.eye(4), [0, 1, 0, 7]), None, "^validation y"),
        ((np.eye(4), [0, 1, 0, 1]), "r2", "^metric 'r2' is one of numbers"),
        ((np.eye(4), [0, 0, 0, 0]), "roc_auc", "needs validation samples of two classes"),
        ((np.eye(4), [0, 1, 0, 1]), lambda t, p: np.nan, "^metric"),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_any_work(
    kind, rows, metric, message, data, fresh, trained, whole, tmp_path
):
    file = tmp_path / "net.npz"
    make = {"EarlyStopping": EarlyStopping, "Checkpoint": lambda *a, **k: Checkpoint(file, *a, **k)}
    callback = Callbacks([make[kind](*rows, metric=metric)])
    before = whole(fresh)
    with pytest.raises(ValueError, match=message):
        fresh.fit(*data, callback=callback)
    assert whole(fresh) == before
    with pytest.raises(ValueError, match=message):
        sn.prune(trained(), *data, validation=data, n_synapses=9, callback=callback)
    assert not file.exists()


def test_a_folder_that_does_not_exist_is_refused_before_any_work(data, fresh, whole, tmp_path):
    before = whole(fresh)
    with pytest.raises(FileNotFoundError, match="the folder of"):
        fresh.fit(*data, callback=Checkpoint(tmp_path / "no" / "net.npz"))
    with pytest.raises(IsADirectoryError):
        fresh.fit(*data, callback=Checkpoint(tmp_path))
    assert whole(fresh) == before


def test_one_that_a_function_calls_says_what_is_missing(data, fresh, tmp_path):
    for inner in (EarlyStopping(*data), Checkpoint(tmp_path / "net.npz", *data)):
        with pytest.raises(RuntimeError, match="must be passed to fit or prune itself, or in Call"):
            fresh.fit(*data, callback=lambda p, inner=inner: inner(p))
        fresh.fit(*data, training=recipe(2), callback=inner)
        with pytest.raises(RuntimeError, match="must be passed to fit or prune itself"):
            fresh.fit(*data, callback=lambda p, inner=inner: inner(p))


# --- checkpoints ---------------------------------------------------------------------------------


def test_the_file_holds_the_network_that_early_stopping_ends_with(data, fresh, whole, tmp_path):
    X, y = data
    scores = (0.4, 0.7, 0.7, 0.6)
    checkpoint = Checkpoint(tmp_path / "net.npz", X, y, metric=Scripted(*scores))
    both = Callbacks([EarlyStopping(X, y, metric=Scripted(*scores), patience=2), checkpoint])
    fresh.fit(X, y, training=recipe(9), callback=both)
    assert whole(sn.SparseMLP.load(tmp_path / "net.npz")) == whole(fresh)
    assert (checkpoint.best_epoch, checkpoint.best_score) == (2, 0.7)


def test_without_rows_the_file_holds_the_latest_epoch(data, fresh, whole, tmp_path):
    file = tmp_path / "net.npz"
    saved = []

    def compare(progress):
        saved.append(whole(sn.SparseMLP.load(file)) == whole(progress.network))

    checkpoint = Checkpoint(file)
    fresh.fit(*data, training=recipe(4), callback=Callbacks([checkpoint, compare]))
    assert saved == [True] * 4
    assert (checkpoint.best_epoch, checkpoint.best_score) == (4, None)


@strategies
def test_without_rows_the_file_holds_the_smallest_network_accepted(
    target, trained3, whole, tmp_path
):
    net, X, y = trained3()
    file = tmp_path / "net.npz"
    fewest = []

    def note(progress):
        if progress.network is not None:
            fewest.append(progress.n_synapses)
            assert sn.SparseMLP.load(file).n_synapses == min(fewest)

    both = Callbacks([Checkpoint(file), note])
    path = sn.prune(net, X, y, validation=(X, y), callback=both, **target)
    assert sn.SparseMLP.load(file).n_synapses == path.smallest.n_synapses
    if target is not ITERATIVE:  # whose search may accept another one of that size
        assert whole(sn.SparseMLP.load(file)) == whole(path.smallest)


def test_of_equal_scores_the_smaller_network_is_kept(data, trained, tmp_path):
    file = tmp_path / "net.npz"
    checkpoint = Checkpoint(file, *data)
    path = sn.prune(
        trained(), *data, validation=data, min_score=1.0, strategy=sn.Iterative(search_budget=0),
        callback=checkpoint,
    )  # fmt: skip
    assert len(path) > 2
    assert checkpoint.best_score == 1.0
    assert sn.SparseMLP.load(file).n_synapses == path.smallest.n_synapses


def test_a_pruning_that_is_interrupted_leaves_the_file(data, trained, bits, tmp_path):
    file = tmp_path / "net.npz"

    def interrupt(progress):
        if progress.stage == "accepted" and progress.n_synapses < 20:
            raise KeyboardInterrupt

    both = Callbacks([Checkpoint(file), interrupt])
    with pytest.raises(sn.PruningInterrupted) as caught:
        sn.prune(trained(), *data, validation=data, max_drop=0.1, callback=both)
    assert bits(sn.SparseMLP.load(file)) == bits(caught.value.path.smallest)


def test_a_new_training_replaces_the_file_of_an_older_one(data, fresh, tmp_path):
    file = tmp_path / "net.npz"
    checkpoint = Checkpoint(file, *data, metric=Scripted(0.9, 0.1))
    fresh.fit(*data, training=recipe(1), callback=checkpoint)
    old = file.read_bytes()
    checkpoint._judge.metric = Scripted(0.1)
    fresh.fit(*data, training=recipe(1), callback=checkpoint)
    assert checkpoint.best_score == 0.1
    assert file.read_bytes() != old


# --- the bar -------------------------------------------------------------------------------------


def test_the_bar_shows_epochs_loss_score_and_synapses(data, fresh, capsys):
    pytest.importorskip("tqdm")
    bar = ProgressBar()
    for epochs in (7, 5):  # one after another
        fresh.fit(*data, training=recipe(epochs), validation=data, callback=bar)
        shown = capsys.readouterr().err
        assert f"{epochs}/{epochs}" in shown
        assert f"score {fresh.score(*data):.4f}, 30 synapses" in shown
        assert "loss " in shown
        assert shown.endswith("\n")  # it is closed


@strategies
def test_the_bar_goes_with_prune(target, trained3, capsys):
    pytest.importorskip("tqdm")
    net, X, y = trained3()
    epochs = []
    both = Callbacks([ProgressBar(), lambda p: epochs.append(p.epoch)])
    sn.prune(net, X, y, validation=(X, y), callback=both, **target)
    shown = capsys.readouterr().err
    assert (f" {epochs[-1]}epoch" if target is ITERATIVE else f" {epochs[-1]}/") in shown.replace(
        "\r", " "
    )
    assert shown.endswith("\n")


def test_the_bar_goes_with_smallest_network(quick, data, capsys):
    pytest.importorskip("tqdm")
    bar = ProgressBar()
    for _ in range(2):
        sn.smallest_network(*data, candidates=[sn.search.Candidate((), 0.0)], callback=bar)
        shown = capsys.readouterr().err
        assert "100%" in shown
        assert shown.endswith("\n")
    bar(1, 4)
    bar(3, 4)
    bar(1, 4)  # the training before failed
    bar.on_train_end()
    assert capsys.readouterr().err.count("\n") == 2


def test_a_bar_without_tqdm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r'pip install "synaprune\[progress\]"'):
        ProgressBar()


# --- several, and the protocol -------------------------------------------------------------------


class Recorder:
    def __init__(self, answer=None):
        self.answer, self.calls = answer, []

    def on_train_begin(self, network):
        self.calls.append("begin")
        self.network = network

    def __call__(self, progress):
        self.calls.append(progress.epoch)
        if self.answer is StopIteration:
            raise StopIteration
        return self.answer

    def on_train_end(self):
        self.calls.append("end")


@pytest.mark.parametrize("answer", [sn.STOP, StopIteration])
def test_all_are_called_and_one_is_enough_to_stop(answer, data, fresh):
    parts = [Recorder(), Recorder(answer), Recorder(True)]
    fresh.fit(*data, callback=Callbacks([parts[0], Callbacks(parts[1:]), lambda p: None]))
    assert [part.calls for part in parts] == [["begin", 1, "end"]] * 3


def test_what_is_true_stops_nothing(data, fresh):
    part = Recorder(True)
    fresh.fit(*data, training=recipe(3), callback=Callbacks([part]))
    assert part.calls == ["begin", 1, 2, 3, "end"]


def test_on_train_begin_gets_a_copy_that_knows_the_classes(data, fresh, trained, bits):
    for watched in (Recorder(sn.STOP), Recorder(sn.STOP)):
        fresh.fit(*data, callback=watched)
        assert watched.network is not fresh
        assert watched.network.classes.tolist() == [0, 1]
    net = trained()
    sn.prune(net, *data, validation=data, n_synapses=9, callback=watched)
    assert bits(watched.network) == bits(net)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_on_train_end_is_called_when_another_fails(error, data, fresh, trained):
    def fails(progress):
        raise error

    part = Recorder()
    with pytest.raises(error):
        fresh.fit(*data, callback=Callbacks([part, fails]))
    with pytest.raises(error):
        sn.prune(trained(), *data, validation=data, max_drop=0.1, callback=Callbacks([part, fails]))
    assert part.calls == ["begin", 1, "end", "begin", 0, "end"]


def test_a_progress_of_fit_holds_the_network_itself(data, fresh):
    seen = []
    fresh.fit(*data, training=recipe(3), callback=lambda p: seen.append(p.network is fresh))
    assert seen == [True] * 3


def test_a_job_calls_both_methods_of_each_of_its_trainings():
    part = Recorder()
    task = job.Job(job.Architecture((6,)), sn.Training(4), job.Goal(n_synapses=9))
    task.run(sn.datasets.xor(), callback=part)
    assert part.calls.count("begin") == part.calls.count("end") == 2
    assert part.calls[:6] == ["begin", 1, 2, 3, 4, "end"]


def test_they_can_be_pickled(data, fresh, tmp_path, bits):
    both = Callbacks([EarlyStopping(*data, patience=3), Checkpoint(tmp_path / "net.npz", *data)])
    for _ in range(2):
        both = pickle.loads(pickle.dumps(both))
        fresh.fit(*data, training=recipe(4), callback=both)
    stopping, checkpoint = pickle.loads(pickle.dumps(both)).callbacks
    assert stopping.best_score == checkpoint.best_score == fresh.score(*data)
    assert bits(stopping.best_network) == bits(fresh)
    pickle.dumps(ProgressBar())


def test_reprs_say_what_they_are_and_what_was_best(data, fresh):
    both = Callbacks([EarlyStopping(*data, metric=Scripted(0.5, 0.25), patience=3)])
    assert repr(both) == "Callbacks([EarlyStopping(patience=3, min_delta=0)])"
    fresh.fit(*data, training=recipe(2), callback=both)
    told = "EarlyStopping(patience=3, min_delta=0, epoch 1 with score 0.5000)"
    assert repr(both.callbacks[0]) == told
    assert repr(Checkpoint("net.npz")) == "Checkpoint('net.npz')"
