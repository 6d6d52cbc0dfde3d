"""Optimisers, schedules, checks of numbers, and what divergence leaves behind."""

import copy
import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import synaprune as sn
from synaprune.checks import check_float, check_int
from synaprune.threads import ThreadChoice, check_threads
from synaprune.training import check_optimizer, run_epochs

NOT_INTS = [True, np.True_, 1.0, "1", None, [1], 1j]
NOT_NUMBERS = [True, "0.1", None, [0.1], 0.1j]


@pytest.mark.parametrize("value", NOT_INTS, ids=repr)
def test_check_int_wants_an_int(value):
    with pytest.raises(TypeError, match=rf"^size must be an int, got {type(value).__name__}"):
        check_int("size", value, 1)


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_check_float_wants_a_number(value):
    with pytest.raises(TypeError, match=r"^rate must be a number, got "):
        check_float("rate", value, 0.0)


def test_check_int_takes_the_ends_of_its_range():
    assert [check_int("n", n, 1, 3) for n in (1, np.int8(2), np.uint64(3))] == [1, 2, 3]
    for n in (0, 4, -1, 2**70):
        with pytest.raises(ValueError, match=rf"^n must be from 1 to 3, got {n}$"):
            check_int("n", n, 1, 3)


def test_check_float_takes_the_ends_of_its_range():
    assert [check_float("x", x, 0.0, 1.0) for x in (0, np.float32(0.5), 1.0)] == [0.0, 0.5, 1.0]
    for x in (-1e-9, 1.1, math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=r"^x must be finite and in \[0\.0, 1\.0\], got "):
            check_float("x", x, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"^x must be finite and in \(0\.0, inf\], got 0\.0"):
        check_float("x", 0.0, 0.0, open_low=True)


def test_check_threads():
    assert check_threads(None) >= 1
    assert check_threads(7) == 7
    for threads in (0, -1, 10**6):
        with pytest.raises(ValueError, match=rf"^threads must be from 1 to .*, got {threads}$"):
            check_threads(threads)


# --- optimisers ---------------------------------------------------------------------------------

RANGES = {
    "lr": [0.0, -0.1],
    "momentum": [-0.1, 1.1],
    "weight_decay": [-1e-9],
    "l1": [-1e-9],
    "beta1": [-0.1, 1.0],
    "beta2": [-0.1, 1.0],
    "rho": [-0.1, 1.0],
    "epsilon": [0.0, -1e-9],
}
OPTIONS = {
    sn.SGD: ("lr", "momentum", "weight_decay", "l1"),
    sn.Adam: ("lr", "beta1", "beta2", "epsilon", "weight_decay", "l1"),
    sn.RMSprop: ("lr", "rho", "epsilon", "weight_decay", "l1"),
    sn.AdamW: ("lr", "beta1", "beta2", "epsilon", "weight_decay", "l1"),
}
options = pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in OPTIONS.items() for name in names]
)


@options
def test_optimisers_refuse_values_out_of_range(kind, name):
    for value in (*RANGES[name], math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"^{name} must be finite and in .*, got {value}$"):
            kind(**{name: value})


@options
def test_optimisers_refuse_what_is_no_number(kind, name):
    for value in NOT_NUMBERS:
        with pytest.raises(TypeError, match=rf"^{name} must be a number, got "):
            kind(**{name: value})


@pytest.mark.parametrize("lr", [np.float32(0.25), np.float64(0.25), np.int64(1), 1])
def test_optimisers_take_numpy_scalars(lr, data, trained, bits):
    expected = trained().fit(*data, training=sn.Training(1, optimizer=sn.SGD(lr=float(lr))))
    assert bits(trained().fit(*data, training=sn.Training(1, optimizer=sn.SGD(lr=lr)))) == bits(
        expected
    )


def test_optimisers_are_values():
    assert sn.SGD(lr=0.1) == sn.SGD(0.1) != sn.SGD(lr=0.2)
    assert repr(sn.SGD(0.1)) == (
        "SGD(lr=0.1, momentum=0.0, weight_decay=0.0, l1=0.0, nesterov=False)"
    )
    assert pickle.loads(pickle.dumps(sn.Adam(beta1=0.5))) == sn.Adam(beta1=0.5)
    with pytest.raises(FrozenInstanceError):
        sn.SGD().lr = 1.0


def test_check_optimizer():
    assert check_optimizer(sn.Adam()) == sn.Adam()
    for wrong in ("sgd", sn.SGD, 0.1, None):
        with pytest.raises(TypeError, match=r"^optimizer must be an optimizer, .*, got "):
            check_optimizer(wrong)


@pytest.mark.parametrize(
    "optimizer",
    [
        sn.SGD(0.3),
        sn.SGD(0.1, momentum=0.9),
        sn.SGD(0.1, momentum=0.9, nesterov=True),
        sn.SGD(0.3, weight_decay=1e-3),
        sn.SGD(0.3, l1=1e-3),
        sn.Adam(0.05),
        sn.Adam(0.05, weight_decay=1e-3, l1=1e-4),
    ],
    ids=repr,
)
def test_every_optimiser_learns(optimizer, data):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    assert (
        net.fit(*data, training=sn.Training(40, batch_size=16, optimizer=optimizer)).score(*data)
        == 1.0
    )


def test_penalties_pull_synapses_but_not_biases():
    """Zero inputs give no gradient to the first layer, so that only the penalty moves it."""
    X, y = np.zeros((4, 2), np.float32), [0, 1, 0, 1]
    for name in ("weight_decay", "l1"):
        net = sn.SparseMLP((2, 3, 1), activation="tanh", init_scale=1.0)
        before = net.weights[0]
        net.fit(
            X, y, training=sn.Training(1, batch_size=4, optimizer=sn.SGD(lr=0.1, **{name: 0.1}))
        )
        after = net.weights[0]
        w = before.values.astype(np.float64)
        pull = 0.1 * 0.1 * (w if name == "weight_decay" else np.sign(w))
        np.testing.assert_allclose(after.values, w - pull, rtol=4 * np.finfo(np.float32).eps)
        assert (after.initial == before.initial).all()
        assert (after.bias == 0.0).all()


# --- schedules ----------------------------------------------------------------------------------


def test_constant_then_cosine():
    factor = sn.ConstantThenCosine(turn=0.5, end=0.1)
    assert [factor(done) for done in (0.0, 0.3, 0.5)] == [1.0] * 3
    assert factor(0.75) == pytest.approx(0.55, abs=1e-12)
    assert factor(1.0) == pytest.approx(0.1, abs=1e-12)
    tail = [factor(done) for done in np.linspace(0.5, 1.0, 50)]
    assert (np.diff(tail) < 0).all()


@pytest.mark.parametrize("name", ["turn", "end"])
def test_constant_then_cosine_refuses(name):
    for value in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"^{name} must be finite and in "):
            sn.ConstantThenCosine(**{name: value})
    with pytest.raises(TypeError, match=rf"^{name} must be a number"):
        sn.ConstantThenCosine(**{name: "0.5"})


def test_schedule_is_asked_for_the_share_done(data):
    asked = []
    net = sn.SparseMLP((4, 6, 1))
    net.fit(*data, training=sn.Training(4, lr_schedule=lambda done: asked.append(done) or 1.0))
    assert asked == [0.0, 0.25, 0.5, 0.75]


def test_schedule_is_a_factor_on_the_learning_rate(data, bits):
    def fitted(lr, schedule=None, epochs=1):
        net = sn.SparseMLP((4, 6, 1))
        return net.fit(
            *data, training=sn.Training(epochs, optimizer=sn.SGD(lr=lr), lr_schedule=schedule)
        )

    assert bits(fitted(0.2, lambda done: 0.5)) == bits(fitted(0.1))
    assert bits(fitted(0.2, lambda done: 0.5)) != bits(fitted(0.2))
    in_turn = fitted(0.2).fit(*data, training=sn.Training(1, optimizer=sn.SGD(lr=0.05)))
    assert bits(fitted(0.2, lambda done: 0.25 if done else 1.0, epochs=2)) == bits(in_turn)


def test_what_cannot_be_called_is_named_before_anything_changes(data, bits):
    net = sn.SparseMLP((4, 6, 1))
    before = bits(net)
    with pytest.raises(TypeError, match=r"^callback must be a callable, got 0\.5"):
        net.fit(*data, callback=0.5)
    assert bits(net) == before


def test_schedules_pickle():
    # They used to be closures, which do not.
    schedule = sn.ConstantThenCosine(turn=0.3)
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert copy.deepcopy(schedule) == schedule != sn.ConstantThenCosine()


@pytest.mark.parametrize(("factor", "error"), [(None, TypeError), (-1.0, ValueError)])
@pytest.mark.parametrize("fitted", [False, True])
def test_f14_a_schedule_that_goes_wrong_midway_changes_nothing(
    factor, error, fitted, data, trained, bits
):
    # The network used to be left half trained; and before, to climb the gradient.
    net = trained() if fitted else sn.SparseMLP((4, 6, 1), input_scaling="standard")
    before = bits(net)
    told = []
    schedule = lambda done: 1.0 if done < 0.5 else factor  # noqa: E731
    with pytest.raises(error, match=r"^lr_schedule\(0\.5\) must be"):
        net.fit(*data, training=sn.Training(6, lr_schedule=schedule), callback=told.append)
    assert bits(net) == before
    assert told == []


def test_an_error_of_a_schedule_passes_through_and_changes_nothing(data, bits):
    net = sn.SparseMLP((4, 6, 1), input_scaling="standard")
    before = bits(net)
    with pytest.raises(ZeroDivisionError):
        net.fit(*data, training=sn.Training(6, lr_schedule=lambda done: 1 / (0.5 - done)))
    assert bits(net) == before


# --- divergence ---------------------------------------------------------------------------------

HOT = sn.SGD(lr=1e30)


def test_divergence_names_epoch_and_rate(data):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    with pytest.raises(sn.TrainingDiverged, match=r"epoch 3 at learning rate 5e\+29;") as caught:
        net.fit(
            *data,
            training=sn.Training(
                5, optimizer=HOT, lr_schedule=lambda done: 0.5 if done > 0.3 else 1e-31
            ),
        )
    assert (caught.value.epoch, caught.value.lr) == (3, 5e29)
    assert isinstance(caught.value, ArithmeticError)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("bad_epoch", [1, 3])
def test_divergence_leaves_a_trained_network_as_it_was(
    momentum, bad_epoch, data, trained, bits, goes_on_alike
):
    calm = sn.SGD(lr=0.1, momentum=momentum)
    net = trained().fit(*data, training=sn.Training(2, optimizer=calm))
    twin = net.copy()
    with pytest.raises(sn.TrainingDiverged):
        net.fit(
            *data,
            training=sn.Training(
                4,
                optimizer=sn.SGD(lr=1e30, momentum=momentum),
                lr_schedule=lambda done: 1.0 if done >= (bad_epoch - 1) / 4 else 1e-31,
            ),
        )
    assert bits(net) == bits(twin)
    assert goes_on_alike(net, twin, *data, calm)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_divergence_leaves_a_new_network_as_it_was(call, data, bits):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, input_scaling="standard")
    before = bits(net)
    with pytest.raises(sn.TrainingDiverged):
        getattr(net, call)(*data, training=sn.Training(optimizer=HOT))
    assert bits(net) == before
    with pytest.raises(ValueError, match="never fitted"):
        net.predict(data[0])
    net.fit(data[0], np.where(data[1] == 1, "yes", "no"))  # other labels, as if never asked
    assert net.classes.tolist() == ["no", "yes"]


def test_inputs_that_overflow_are_a_divergence(data, bits):
    X = data[0].copy()
    X[5, 1] = 3e38
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, input_scaling=(-3e38, 1.0))
    before = bits(net)
    with pytest.raises(sn.TrainingDiverged):
        net.fit(X, data[1])
    assert bits(net) == before


def test_divergence_survives_pickling_and_copying():
    error = sn.TrainingDiverged(4, 0.5)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is sn.TrainingDiverged
        assert (again.epoch, again.lr, str(again)) == (4, 0.5, str(error))


def test_run_epochs_yields_the_mean_loss_of_each_epoch(data):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    samples = net.prepare(*data)
    told = []
    net.copy().fit(
        *data, training=sn.Training(3), callback=lambda p: told.append((p.epoch, p.loss)) or None
    )
    got = run_epochs(
        net._core, samples, factors=[1.0] * 3, batch_size=64, optimizer=sn.SGD(),
        threads=ThreadChoice(1),
    )  # fmt: skip
    assert list(got) == told
    assert [epoch for epoch, _ in told] == [1, 2, 3]
    assert told[0][1] > told[-1][1] > 0.0


def test_progress_is_a_value():
    progress = sn.Progress("train", 1, 2, 0.5, None, 30)
    assert pickle.loads(pickle.dumps(progress)) == progress
    with pytest.raises(FrozenInstanceError):
        progress.epoch = 2


# --- threads="auto" -----------------------------------------------------------------------------


def offer(monkeypatch, threads):
    monkeypatch.setattr("synaprune._core.default_threads", lambda: threads)


@pytest.mark.parametrize(("all_threads", "one_thread", "chosen"), [(0.1, 0.2, 4), (0.2, 0.1, 1)])
@pytest.mark.parametrize("threads", ["auto", None])
def test_auto_chooses_what_was_faster_and_says_so(
    monkeypatch, caplog, threads, all_threads, one_thread, chosen
):
    offer(monkeypatch, 4)
    choice = ThreadChoice(threads)
    assert choice.most == 4
    tried = []
    with caplog.at_level("INFO", logger="synaprune"):
        for _ in range(4):
            tried.append(choice.next())
            choice.took(all_threads if tried[-1] == 4 else one_thread)
    assert tried == [4, 1, 4, 1]
    assert [choice.next() for _ in range(3)] == [chosen] * 3
    [message] = caplog.messages
    assert message == (
        f"training goes on with threads={chosen}: an epoch takes {all_threads} s on 4, "
        f"{one_thread} s on one"
    )


def test_a_number_is_not_measured(monkeypatch, caplog):
    offer(monkeypatch, 4)
    choice = ThreadChoice(3)
    for _ in range(40):
        assert choice.next() == 3
        choice.took(0.1)
    assert caplog.messages == []


def test_auto_measures_again_after_a_while(monkeypatch):
    offer(monkeypatch, 2)
    choice = ThreadChoice("auto")
    seconds = {2: 0.1, 1: 0.2}
    for _ in range(32):
        choice.took(seconds[choice.next()])
    seconds[2] = 0.3  # the network has become small
    for _ in range(4):
        choice.took(seconds[choice.next()])
    assert choice.next() == 1


def test_auto_with_one_thread_has_nothing_to_choose(monkeypatch, caplog):
    offer(monkeypatch, 1)
    choice = ThreadChoice("auto")
    for _ in range(6):
        assert choice.next() == 1
        choice.took(0.1)
    assert caplog.messages == []


def test_a_number_of_numpy_is_a_number(monkeypatch):
    offer(monkeypatch, 4)
    choice = ThreadChoice(np.int64(4))
    for _ in range(6):
        assert choice.next() == 4
        choice.took(0.1)


@pytest.mark.parametrize("threads", ["many", 1.5, True])
def test_threads_are_a_number_or_auto(data, threads):
    with pytest.raises(TypeError, match="threads must be an int"):
        sn.SparseMLP((4, 6, 1)).fit(*data, threads=threads)


def test_auto_trains_as_a_number_does_and_tells_the_callback(data, bits):
    told = []
    nets = [sn.SparseMLP((4, 6, 1), init_scale=1.0) for _ in range(2)]
    nets[0].fit(*data, training=sn.Training(6), threads=1)
    nets[1].fit(
        *data,
        training=sn.Training(6),
        threads="auto",
        callback=lambda p: told.append(p.threads) or None,
    )
    assert bits(nets[0]) == bits(nets[1])
    assert len(told) == 6
    assert set(told) <= {1, sn.build_info()["threads"]}
    options = {"validation": data, "n_synapses": 12, "training": sn.Training(6)}
    paths = [sn.prune(nets[0], *data, threads=t, **options) for t in (1, "auto")]
    assert bits(paths[0].smallest) == bits(paths[1].smallest)
    assert (nets[1].predict(data[0], threads="auto") == nets[0].predict(data[0])).all()


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match=r"nesterov=True means nothing with momentum=0\.0"):
        sn.SGD(nesterov=True)
    with pytest.raises(TypeError, match="nesterov must be True or False, got 1"):
        sn.SGD(momentum=0.9, nesterov=1)


def test_a_recipe_clips_gradients(bits):
    data = sn.datasets.digits().train
    calm, clipped, free = (
        sn.SparseMLP((64, 8, 10), seed=1).fit(
            *data, training=sn.Training(2, max_gradient_norm=norm, optimizer=sn.SGD(0.5))
        )
        for norm in (0.01, 1e9, None)
    )
    assert bits(clipped) == bits(free) != bits(calm)
    with pytest.raises(ValueError, match="max_gradient_norm must be finite and in"):
        sn.Training(max_gradient_norm=0)
