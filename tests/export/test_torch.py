"""Networks of torch's models and torch's models of networks say the same."""

import copy

import numpy as np
import pytest
import synaprune as sn
from export.dense import close, softmax
from export.networks import given, random_network

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

X = np.random.default_rng(0).normal(size=(1000, 12)).astype(np.float32)


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def outputs(model, X):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(X)).double().numpy()


def probabilities(net, z):
    """What a network's loss makes of the sums of the last layer."""
    if net.loss == "softmax":
        return softmax(z)
    p = 1.0 / (1.0 + np.exp(-z))
    return np.hstack([1.0 - p, p]) if p.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)


def descend(model):
    """One step of gradient descent; torch.optim takes seconds to import."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None


def sequential(*between, n_out=3):
    """12-9-7-n_out."""
    first, second = between if len(between) == 2 else (nn.ReLU(), nn.ReLU())
    return nn.Sequential(
        nn.Linear(12, 9), first, nn.Dropout(0.5), nn.Linear(9, 7), second, nn.Linear(7, n_out)
    )


ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.SiLU)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("end", [[], [nn.Softmax(dim=1)], [nn.LogSoftmax(dim=-1)]])
def test_a_classifier_keeps_its_probabilities(activation, end):
    model = nn.Sequential(nn.Flatten(), sequential(activation(), activation()), nn.Identity(), *end)
    net = sn.SparseMLP.from_torch(model)
    assert close(net.predict_proba(X), softmax(outputs(model[:2], X)))
    assert net.classes.tolist() == [0, 1, 2]
    assert net.layers == (12, 9, 7, 3)


def test_the_end_and_the_loss_say_what_the_outputs_are():
    z = outputs(model := sequential(n_out=1), X)
    for end, loss in (([nn.Sigmoid()], "auto"), ([], "sigmoid")):
        net = sn.SparseMLP.from_torch(nn.Sequential(model, *end), loss=loss)
        assert close(net.predict_proba(X), probabilities(net, z))
    net = sn.SparseMLP.from_torch(model, loss="huber")
    assert close(net.predict(X), z[:, 0])
    z = outputs(model := sequential(), X)
    net = sn.SparseMLP.from_torch(model, loss="squared_error")
    assert close(net.predict(X), z)
    net = sn.SparseMLP.from_torch(nn.Sequential(model, nn.Sigmoid()), loss="squared")
    assert close(net.predict_proba(X), probabilities(net, z))


def test_labels_come_in_any_order():
    z = outputs(model := sequential(), X)
    net = sn.SparseMLP.from_torch(model, classes=["z", "b", "c"])
    assert net.classes.tolist() == ["b", "c", "z"]
    assert close(net.predict_proba(X), softmax(z)[:, [1, 2, 0]])
    z = outputs(model := sequential(n_out=1), X)
    net = sn.SparseMLP.from_torch(model, classes=["yes", "no"], loss="sigmoid")
    assert net.classes.tolist() == ["no", "yes"]
    assert close(net.predict_proba(X)[:, :1], 1.0 / (1.0 + np.exp(-z)))


def test_pruned_and_parametrised_layers_are_taken_as_they_compute():
    model = sequential()
    prune.l1_unstructured(model[0], "weight", amount=0.75)
    parametrizations.weight_norm(model[3])
    model(torch.from_numpy(X)).square().mean().backward()
    descend(model)  # the masked weight is not computed again before the next call
    net = sn.SparseMLP.from_torch(model)
    assert len(net.weights[0].values) == 27
    assert close(net.predict_proba(X), softmax(outputs(model, X)))
    assert sn.SparseMLP.from_torch(model, keep_zeros=True).n_synapses == 12 * 9 + 9 * 7 + 7 * 3


def trained_norm(n, **options):
    """Batch normalisation that has seen data, and says no to one of them."""
    norm = nn.BatchNorm1d(n, **options)
    with torch.no_grad():
        for values in (norm.running_mean, norm.weight, norm.bias):
            if values is not None:
                values.copy_(torch.randn(n))
        norm.running_var.copy_(0.1 + torch.rand(n))
        if norm.affine:
            norm.weight[n // 2] = 0.0
    return norm


def test_batch_normalisation_becomes_part_of_the_layers():
    for places in range(1, 32):
        model = nn.Sequential()
        for at, module in enumerate([nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 3)]):
            for twice in range(2 if places == 31 else 1):
                if places >> at & 1:
                    model.append(trained_norm((12, 9, 9)[at], affine=places % 3 != twice))
            model.append(module)
        if places >> 3 & 1:
            model.append(trained_norm(3))
        if places >> 4 & 1:
            model.append(nn.Softmax(dim=1))
        net = sn.SparseMLP.from_torch(model)
        said = outputs(model, X)
        assert close(net.predict_proba(X), said if places >> 4 & 1 else softmax(said)), places
        assert net.layers == (12, 9, 3)


def test_inputs_far_from_zero_are_normalised_with_their_precision():
    far = 2000.0 + X
    model = nn.Sequential(nn.BatchNorm1d(12), nn.BatchNorm1d(12), nn.Linear(12, 3))
    model[1].running_mean += 2000.0 / (1.0 + 1e-5) ** 0.5
    net = sn.SparseMLP.from_torch(model)
    weights, bias = (p.detach().double().numpy() for p in model[2].parameters())
    x = (far.astype(np.float64) - 2000.0) / (1.0 + 1e-5)
    assert np.abs(net.predict_proba(far) - softmax(x @ weights.T + bias)).max() < 1e-4


def test_layers_without_biases_and_of_other_precision():
    model = nn.Sequential(nn.Linear(12, 5, bias=False), nn.Tanh(), nn.Linear(5, 2)).double()
    net = sn.SparseMLP.from_torch(model)
    assert close(net.predict_proba(X), softmax(outputs(model, X.astype(np.float64))))
    assert not net.weights[0].bias.any()


def test_initial_weights_are_those_of_a_model_before_training():
    model = sequential()
    before = copy.deepcopy(model)
    with torch.no_grad():
        model[0].weight[2, 3] += 1.0
    net = sn.SparseMLP.from_torch(model, initial=before)
    score = np.concatenate(sn.saliency(net))
    assert np.flatnonzero(score).tolist() == [2 * 12 + 3]
    assert abs(score.max() - 1.0) < 1e-6
    wsf, magnitude = (sn.saliency(sn.SparseMLP.from_torch(model), c) for c in ("wsf", "magnitude"))
    assert all(np.array_equal(a, b) for a, b in zip(wsf, magnitude, strict=True))


def linear(*modules):
    return lambda: nn.Sequential(*modules)


class MyLinear(nn.Linear):
    def forward(self, x):
        return 2.0 * super().forward(x)


def hooked():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_forward_hook(lambda module, args, output: 2.0 * output)
    return model


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: nn.Linear(2, 2), TypeError, "model must be a torch.nn.Sequential, got Linear"),
        (linear(nn.Linear(2, 2), nn.GELU(), nn.Linear(2, 2)), TypeError, r"model\[1\]: .*a GELU"),
        (linear(nn.Sequential(nn.LayerNorm(2))), TypeError, r"model\[0\]\[0\]: .*a LayerNorm"),
        (linear(MyLinear(2, 2)), TypeError, "cannot hold a MyLinear"),
        (hooked, TypeError, "has hooks"),
        (linear(), ValueError, "must have a Linear layer"),
        (linear(nn.Flatten(0), nn.Linear(2, 2)), ValueError, r"begin with Flatten\(1, -1\)"),
        (
            linear(nn.ReLU(), nn.Linear(2, 2)),
            ValueError,
            r"model\[0\]: a Linear layer must stand before ReLU",
        ),
        (
            linear(nn.Linear(2, 2), nn.Tanh(), nn.Softmax(dim=1)),
            ValueError,
            "a Linear layer must stand before Softmax",
        ),
        (linear(nn.Softmax(dim=1)), ValueError, "must have a Linear layer"),
        (
            linear(nn.Linear(2, 2), nn.ReLU(), nn.BatchNorm1d(2)),
            ValueError,
            r"model\[2\]: only Softmax or Sigmoid may stand last, got BatchNorm1d",
        ),
        (linear(nn.BatchNorm1d(3), nn.Linear(2, 2)), ValueError, "must have 3 inputs"),
        (linear(nn.Linear(2, 2), nn.BatchNorm1d(3)), ValueError, "must have 2 inputs"),
        (
            linear(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)),
            ValueError,
            "must have running statistics",
        ),
        (linear(nn.Linear(2, 2), nn.Flatten()), ValueError, r"model\[1\]: model may begin with"),
        (linear(nn.Linear(2, 2), nn.ReLU()), ValueError, "only Softmax or Sigmoid may stand last"),
        (linear(nn.Linear(2, 2), nn.Softmax(dim=0)), ValueError, "dim 1 or -1"),
        (
            linear(nn.Linear(2, 2), nn.Identity(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)),
            ValueError,
            r"model\[2\]: an activation must stand here, got Linear",
        ),
        (
            linear(nn.Linear(2, 2), nn.Softmax(1), nn.Linear(2, 2)),
            ValueError,
            "only an activation may stand between layers, got Softmax",
        ),
        (linear(nn.Linear(2, 3), nn.Tanh(), nn.Linear(2, 2)), ValueError, "must have 3 inputs"),
        (lambda: sequential(nn.ReLU(), nn.Tanh()), ValueError, "one activation, got relu, tanh"),
        (lambda: sequential(nn.LeakyReLU(0.2), nn.LeakyReLU(0.2)), ValueError, "the slope 0.01"),
        (linear(nn.Linear(2, 1)), ValueError, "one output and no Sigmoid after it: loss must be"),
        (linear(nn.Linear(2, 3), nn.Sigmoid()), ValueError, "loss must be 'sigmoid' or 'squared'"),
    ],
)
def test_models_that_no_network_is_are_refused(model, error, message):
    with pytest.raises(error, match=message):
        sn.SparseMLP.from_torch(model())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": [0, 1]}, "needs 3 classes, got 2"),
        ({"classes": [0, 1, 2, 2]}, "must be unique"),
        ({"loss": "huber", "classes": [0, 1, 2]}, "classes must be left out"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"initial": nn.Sequential(nn.Linear(12, 9))}, "initial must have the shapes"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sn.SparseMLP.from_torch(sequential(), **options)
    ended = nn.Sequential(sequential(), nn.Softmax(dim=1))
    with pytest.raises(ValueError, match="loss must be 'softmax', got 'squared'"):
        sn.SparseMLP.from_torch(ended, loss="squared")


@pytest.mark.parametrize("first", range(0, 100, 50))
@pytest.mark.parametrize("compact", [False, True])
def test_torch_says_what_random_networks_say(first, compact):
    for seed in range(first, first + 50):
        net, rows = random_network(seed)
        model = net.to_torch(compact=compact, masks=seed % 2 == 0)
        z = outputs(model, rows)
        said = given(net, rows)
        assert close(z if net.is_regression else probabilities(net, z), said), seed
        sizes = [m.out_features for m in model if isinstance(m, nn.Linear)]
        assert compact or sizes == list(net.layers[1:])


def test_there_and_back():
    seen = 0
    for seed in range(60):
        net, _ = random_network(seed)
        shift, scale = net.input_transform
        if net.is_regression or (shift != 0.0).any() or (scale != 1.0).any():
            continue
        back = sn.SparseMLP.from_torch(net.to_torch(), loss=net.loss)
        assert back.layers == net.layers
        for a, b in zip(back.weights, net.weights, strict=True):
            assert np.array_equal(a.to_dense(), b.to_dense())
            assert np.array_equal(a.bias, b.bias)
        seen += 1
    assert seen > 5


def test_inputs_far_from_zero_are_scaled_by_a_module_of_their_own():
    y = np.arange(1000) % 3
    for far, first in ((1.0, "Linear"), (2000.0, "Scaling")):
        net = sn.SparseMLP((12, 8, 3), input_scaling="standard", init_scale=1.0, seed=0)
        net.prepare(X + np.float32(far), y)
        for compact in (False, True):
            model = net.to_torch(compact=compact)
            assert type(model[0]).__name__ == first
            z = outputs(model, X + np.float32(far))
            assert close(softmax(z), net.predict_proba(X + np.float32(far)))
        back = sn.SparseMLP.from_torch(net.to_torch())
        assert close(
            back.predict_proba(X + np.float32(far)), net.predict_proba(X + np.float32(far))
        )


def test_masks_hold_while_torch_trains():
    numbers = np.arange(1000) % 3
    net = sn.SparseMLP((12, 8, 3), init_scale=1.0, seed=0)
    net.prepare(X, numbers)
    net = net.without(inputs=range(0, 12, 2))
    model = net.to_torch(masks=True)
    x, y = torch.from_numpy(X), torch.from_numpy(numbers)
    for _ in range(3):
        nn.functional.cross_entropy(model(x), y).backward()
        descend(model)
    back = sn.SparseMLP.from_torch(model)
    assert [w.keys.tolist() for w in back.weights] == [w.keys.tolist() for w in net.weights]
    assert not np.array_equal(back.weights[0].values, net.weights[0].values)


def test_bad_arguments_of_to_torch_are_refused():
    net, _ = random_network(0)
    for option in ("compact", "masks"):
        with pytest.raises(TypeError, match=f"{option} must be True or False"):
            net.to_torch(**{option: 1})
    with pytest.raises(ValueError, match="never fitted"):
        sn.SparseMLP((2, 1)).to_torch()
