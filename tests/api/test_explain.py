"""`synaprune.explain`: energy, ablation, annotations, attributions, samples, comparison."""

import itertools

import numpy as np
import pytest
import synaprune as sn
from synaprune import explain
from synaprune.explain._activations import activate


@pytest.fixture(scope="module")
def digits():
    return sn.datasets.digits()


@pytest.fixture(scope="module")
def net(digits):
    made = sn.SparseMLP((64, 8, 10), seed=0).fit(*digits.train, training=sn.Training(30))
    path = sn.prune(
        made, *digits.train, validation=digits.validation, n_synapses=120, training=sn.Training(20)
    )
    return path.smallest


def random_net(sizes, activation="relu", seed=0):
    rng = np.random.default_rng(seed)
    net = sn.SparseMLP(sizes, activation=activation, init_scale=1.0, seed=seed)
    X = rng.normal(0.3, 1.0, (120, sizes[0])).astype(np.float32)
    y = np.arange(120) % max(2, sizes[-1])
    net.fit(X, y, training=sn.Training(5, optimizer=sn.SGD(0.1)))
    n = net.n_synapses * 2 // 3
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=n, training=sn.Training(4))
    return path.smallest, X


# --- energy -------------------------------------------------------------------------------------


def brute_force(net, factors):
    """Strength of every path, by (neurons of the path)."""
    dense = [abs(w.to_dense().astype(np.float64)) for w in net.weights]
    strengths = {}
    for path in itertools.product(*map(range, net.layers)):
        s = 1.0
        for level, (a, b) in enumerate(itertools.pairwise(path)):
            s *= dense[level][b, a] * factors[level][a]
        if s:
            strengths[path] = s
    return strengths


@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 2, 3), (5, 4, 1)])
def test_energy_is_the_sum_over_enumerated_paths(sizes, with_data):
    net, X = random_net(sizes)
    factors = [np.ones(n) for n in sizes[:-1]]
    if with_data:
        factors[0] = abs(X.astype(np.float64)).mean(axis=0)
        for level in range(1, len(sizes) - 1):
            a = explain.activations(net, X, level - 1)
            factors[level] = abs(a.astype(np.float64)).mean(axis=0)
    paths = brute_force(net, factors)
    energy = explain.path_energy(net, X if with_data else None)
    n_out = sizes[-1]
    total = [sum(s for p, s in paths.items() if p[-1] == c) for c in range(n_out)]
    np.testing.assert_allclose(energy.total, total, rtol=1e-5)
    for level, shares in enumerate([energy.inputs, *energy.neurons]):
        expected = np.zeros_like(shares)
        for p, s in paths.items():
            expected[p[level], p[-1]] += s / total[p[-1]]
        np.testing.assert_allclose(shares, expected, rtol=1e-5, atol=1e-12)
    for level, (shares, w) in enumerate(zip(energy.synapses, net.weights, strict=True)):
        for k, (row, column) in enumerate(zip(w.rows.tolist(), w.indices.tolist(), strict=True)):
            through = [
                (p[-1], s) for p, s in paths.items() if p[level] == column and p[level + 1] == row
            ]
            for c in range(n_out):
                expected = sum(s for last, s in through if last == c) / total[c]
                assert shares[k, c] == pytest.approx(expected, rel=1e-5, abs=1e-12)
    raw = explain.feature_energy(net, X if with_data else None, normalize=False)
    assert raw.shape == (sizes[0], n_out)
    np.testing.assert_allclose(raw.sum(axis=0), total, rtol=1e-5)


def test_uint8_and_float_give_equal_energy(digits):
    X = digits.train.X.astype(np.uint8)
    net = sn.SparseMLP((64, 6, 10), seed=0, input_scaling="center").fit(
        X, digits.train.y, training=sn.Training(2)
    )
    a = explain.feature_energy(net, X)
    b = explain.feature_energy(net, X.astype(np.float64))
    assert (a == b).all()
    shift, _ = net.input_transform
    assert (shift > 0).any()  # a wrong order of uint8 arithmetic would wrap


def test_the_subnetwork_of_a_class_carries_its_share(net):
    energy = explain.path_energy(net)
    for c in range(10):
        for chosen, shares in zip(energy.subnetwork(c, 0.8), energy.synapses, strict=True):
            of = shares[:, c]
            assert of[chosen].sum() >= 0.8 - 1e-9
            assert of[chosen].sum() - of[chosen].min() < 0.8  # one fewer would not do
        assert sum(map(np.sum, energy.subnetwork(c, 1.0))) < net.n_synapses
    for output, share in ((10, 0.5), (-1, 0.5), (0, 0.0), (0, 1.5)):
        with pytest.raises(ValueError, match=r"^(output|share) must be"):
            energy.subnetwork(output, share)


def test_a_network_of_nothing_has_no_energy():
    net = sn.SparseMLP((3, 2, 2), seed=0)
    bare = net.without(neurons=[0, 1])
    energy = explain.path_energy(bare)
    assert energy.total.tolist() == [0.0, 0.0]
    assert energy.inputs.sum() == 0
    assert [chosen.tolist() for chosen in energy.subnetwork(0)] == [[], []]


# --- ablation -----------------------------------------------------------------------------------


def test_ablation_agrees_with_without(net, digits):
    ablation = explain.ablate(net, *digits.test)
    assert len(ablation) == net.n_used_inputs + 6 + net.n_synapses
    full = net.score(*digits.test)
    assert ablation.correct.sum() / ablation.n.sum() == pytest.approx(full)
    names = {
        "input": lambda p: {"inputs": [p.index]},
        "neuron": lambda p: {"neurons": [(p.layer, p.index)]},
        "synapse": lambda p: {"synapses": [(p.layer, p.index, p.source)]},
    }
    for row, part in enumerate(ablation.units):
        other = net.without(**names[part.kind](part))
        by_class = explain.compare(net, other, *digits.test)
        assert (by_class.lost == ablation.lost[row]).all(), part
        assert (by_class.won == ablation.won[row]).all(), part
        assert by_class.change == pytest.approx(-ablation.total_loss[row], abs=1e-12)


def test_only_keeps_one_kind(net, digits):
    ablation = explain.ablate(net, *digits.validation)
    for kind, n in (("input", net.n_used_inputs), ("neuron", 6), ("synapse", net.n_synapses)):
        some = ablation.only(kind)
        assert len(some) == n == len(some.lost)
        assert {unit.kind for unit in some.units} == {kind}
    with pytest.raises(ValueError, match=r"^kind must be one of input, neuron, synapse, got"):
        ablation.only("layer")


def test_bad_data_are_named(net, digits):
    X, y = digits.test
    with pytest.raises(ValueError, match="never fitted"):
        explain.ablate(sn.SparseMLP((64, 3, 10)), X, y)
    with pytest.raises(ValueError, match="X"):
        explain.ablate(net, X[:, :5], y)
    with pytest.raises(ValueError, match="holds the label 11"):
        explain.ablate(net, X, np.where(y == 3, 11, y))
    broken = np.array(X, np.float32)
    broken[0, 0] = np.nan
    for call in (
        lambda: explain.ablate(net, broken, y),
        lambda: explain.attributions(net, broken),
        lambda: explain.activations(net, broken),
        lambda: explain.path_energy(net, broken),
        lambda: explain.path_energy(sn.SparseMLP((64, 10)), broken),
        lambda: explain.compare(net, net, broken, y),
    ):
        with pytest.raises(ValueError, match="X must be finite"):
            call()
    with pytest.raises(ValueError, match=r"^layer must be from -2 to 1, got 2$"):
        explain.activations(net, X, 2)


# --- labels -------------------------------------------------------------------------------------


def made_up(lost, won=None, n=500):
    lost = np.array(lost)
    k = lost.shape[1]
    units = tuple(explain.Unit("neuron", 0, j) for j in range(len(lost)))
    won = np.zeros_like(lost) if won is None else np.array(won)
    row, label = np.nonzero(lost + won)
    changes = np.stack([row, label, lost[row, label], won[row, label]], axis=1)
    return explain.Ablation(units, np.arange(k), np.full(k, n), np.full(k, n), changes)


def test_labels_need_proof():
    labels = explain.annotate_units(
        made_up([
            [200, 3, 0, 1, 2, 0],  # one class
            [0, 90, 0, 95, 2, 0],  # two, alike
            [50, 52, 48, 51, 49, 50],  # all alike
            [4, 0, 0, 0, 0, 1],  # too little to say
            [0, 0, 0, 0, 0, 0],
        ])
    )  # fmt: skip
    assert [label.status for label in labels] == [
        "labelled",
        "labelled",
        "shared",
        "unclear",
        "unclear",
    ]
    assert [label.classes for label in labels] == [(0,), (3, 1), (), (), ()]
    assert labels[0].strength == pytest.approx(0.4)
    assert labels[1].strength == pytest.approx(92.5 / 500)
    assert all(label.p_value < 0.01 for label in labels[:2])
    only_one = explain.annotate_units(made_up([[0, 90, 0, 95, 2, 0]]), max_classes=1)
    assert only_one[0].status == "shared"


def test_what_is_won_elsewhere_counts_against_a_loss():
    label = explain.annotate_units(made_up([[100, 0, 0, 0]], [[98, 0, 0, 0]]))[0]
    assert label.status == "unclear"


def test_replication_counts_what_fresh_samples_prove():
    labels = explain.annotate_units(made_up([[200, 0, 0, 0], [0, 150, 0, 0], [0, 0, 0, 0]]))
    fresh = made_up([[180, 0, 0, 0], [0, 2, 0, 60], [0, 0, 0, 0]])
    c = explain.replicate(labels, fresh)
    assert (c.n_units, c.n_labelled, c.n_replicated) == (3, 2, 1)
    assert c.chance == pytest.approx(0.25)  # one of four classes passes, for each part
    assert "2 of 3 units are labelled (67%); 1 of these labels are replicated" in str(c)
    with pytest.raises(ValueError, match="fresh must hold every labelled unit"):
        explain.replicate(labels, made_up([[1, 2, 3, 4]]))


def test_nothing_is_shared_by_luck():
    """Ten classes used to have ten chances to lose."""
    rng = np.random.default_rng(1)
    lost, won = rng.binomial(500, 0.04, (2, 400, 10))
    labels = explain.annotate_units(made_up(lost, won))
    assert sum(label.status != "unclear" for label in labels) <= 8


def test_classes_without_samples_have_no_say():
    """One such class used to keep all units from a label."""
    few = made_up([[100, 0, 0, 0]])
    n = np.array([500, 500, 500, 0])
    gone = explain.Ablation(few.units, few.classes, n, n, few.changes)
    (label,) = explain.annotate_units(gone)
    assert label.classes == (0,)
    alone = np.array([500, 0, 0, 0])
    only = explain.Ablation(few.units, few.classes, alone, alone, few.changes)
    assert explain.annotate_units(only)[0].status == "shared"  # with nothing to compare with


def test_replication_of_many_classes_takes_no_time():
    """All sets of classes used to be tried."""
    lost = np.zeros((1, 300), int)
    lost[0, [5, 70, 200]] = 300, 280, 260
    label = explain.annotate_units(made_up(lost))
    c = explain.replicate(label, made_up(lost))
    assert c.n_replicated == 1
    assert 0 < c.chance < 0.01
    assert str(explain.replicate([], made_up(lost))) == "none of 0 units is labelled"


def test_chance_rarely_labels():
    """Parts that hit all classes alike get a label about as rarely as alpha says."""
    rng = np.random.default_rng(0)
    lost = rng.binomial(500, 0.1, (400, 10))
    labels = explain.annotate_units(made_up(lost), max_classes=1)
    assert sum(label.status == "labelled" for label in labels) <= 8


def test_labels_of_a_real_network_are_replicated(digits):
    net = sn.SparseMLP((64, 20, 10), seed=0).fit(
        *digits.train, training=sn.Training(60, batch_size=16)
    )
    path = sn.prune(
        net, *digits.train, validation=digits.validation, n_synapses=60, training=sn.Training(60)
    )
    neurons = explain.ablate(path.smallest, *digits.train).only("neuron")
    labels = explain.annotate_units(neurons)
    c = explain.replicate(labels, explain.ablate(path.smallest, *digits.test))
    assert c.n_labelled >= 4
    assert c.replicated > 2 * c.chance


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("sizes", [(6, 3), (6, 5, 4, 3), (6, 5, 1)])
def test_attributions_sum_to_the_logit(activation, sizes):
    net, X = random_net(sizes, activation)
    logits = explain.activations(net, X, -1)
    if sizes[-1] == 1:
        logits = np.hstack([-logits, logits])
    for c in range(logits.shape[1]):
        found = explain.attributions(net, X, c)
        terms = abs(found.values).sum(axis=1) + abs(found.bias)
        assert (abs(found.totals - logits[:, c]) <= 1e-5 * terms).all()
        assert (found.labels == c).all()
    predicted = explain.attributions(net, X)
    assert (predicted.labels == net.predict(X)).all()
    gone = np.setdiff1d(np.arange(6), net.used_inputs)
    assert (predicted.values[:, gone] == 0).all()


def test_attributions_of_relu_networks_are_the_paths(net, digits):
    x = digits.test.X[:1]
    found = explain.attributions(net, x, 3)
    every = explain.strongest_paths(net, x[0], 3, top_k=1000)
    sums = np.zeros(64)
    for term in every:
        assert term.neurons[-1] == 3
        sums[term.neurons[0]] += term.value
    np.testing.assert_allclose(sums, found.values[0], atol=1e-9)
    few = explain.strongest_paths(net, x[0], 3, top_k=4)
    assert [t.neurons for t in few] == [t.neurons for t in every[:4]]


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_activations_are_those_of_the_core(activation):
    net, X = random_net((6, 5, 3), activation)
    z = explain.activations(net, X, -1).astype(np.float64)  # the logits, as sums to activate
    one = sn.SparseMLP((3, 3, 2), activation=activation, input_scaling="none", seed=0)
    for j, k in itertools.product(range(3), repeat=2):
        one = one.with_weight(0, j, k, float(j == k))
    expected = explain.activations(one, z, 0)
    np.testing.assert_allclose(activate(activation, z), expected, rtol=1e-6, atol=1e-6)


def test_an_unknown_activation_is_named(digits):
    """It used to be attributed by the formula of tanh."""
    net = sn.SparseMLP((64, 3, 10), seed=0).fit(*digits.train, training=sn.Training(1))
    net.activation = "gelu"
    for call in (explain.attributions, explain.activation_patterns):
        with pytest.raises(ValueError, match=r"^activation must be one of 'relu', .*, got 'gelu'$"):
            call(net, digits.test.X)


def test_slopes_at_sums_near_zero_are_the_derivative():
    net = sn.SparseMLP((2, 1, 2), activation="sigmoid", input_scaling="none", seed=0)
    net = net.with_weight(0, 0, 0, 3.0).with_weight(0, 0, 1, -3.0)
    net = net.with_weight(1, 0, 0, 1.0).with_weight(1, 1, 0, 0.0)
    net.fit(np.eye(2), [0, 1], training=sn.Training(1, optimizer=sn.SGD(1e-30)))
    for x in (1.0, 1.0 + 2**-20):
        values = explain.attributions(net, np.array([[x, 1.0]]), 0).values
        np.testing.assert_allclose(values, [[0.75, -0.75]], rtol=1e-4)  # 3 times 1/4


def test_a_class_that_does_not_exist_is_named(net, digits):
    with pytest.raises(ValueError, match=r"^label must be one of \[0, .*, got 'x'$"):
        explain.attributions(net, digits.test.X, "x")


def test_patterns_share_their_active_neurons(net, digits):
    X = digits.train.X
    found = explain.activation_patterns(net, X)
    active = explain.activations(net, X, 0) > 0
    assert sorted(np.concatenate([g.samples for g in found]).tolist()) == list(range(len(X)))
    sizes = [len(g.samples) for g in found]
    assert sizes == sorted(sizes, reverse=True)
    for g in found:
        wanted = np.zeros(8, bool)
        wanted[[j for _, j in g.active]] = True
        assert (active[g.samples] == wanted).all()
    assert len({g.active for g in found}) == len(found)


def test_prototypes_are_right_and_outliers_far(net, digits):
    X, y = digits.train
    a = explain.activations(net, X, 0).astype(np.float64)
    for e in explain.prototypes(net, X, y, top_k=2):
        assert (y[list(e.prototypes + e.outliers)] == e.label).all()
        assert (net.predict(X[list(e.prototypes)]) == e.label).all()
        distance = np.linalg.norm(a - a[y == e.label].mean(axis=0), axis=1)
        assert distance[list(e.prototypes)].max() < distance[list(e.outliers)].min()


def test_a_network_without_hidden_neurons_has_one_pattern(digits):
    net = sn.SparseMLP((64, 10), seed=0).fit(*digits.train, training=sn.Training(2))
    (pattern,) = explain.activation_patterns(net, digits.test.X)
    assert pattern.active == ()
    assert len(explain.prototypes(net, *digits.test)) == 10


# --- comparison ---------------------------------------------------------------------------------


def test_comparison_shows_each_class(net, digits):
    other = net.without(inputs=net.used_inputs[:5].tolist())
    c = explain.compare(net, other, *digits.test)
    assert c.n.sum() == len(digits.test.y)
    assert c.change == pytest.approx(other.score(*digits.test) - net.score(*digits.test))
    lines = str(c).splitlines()
    assert len(lines) == 12
    assert lines[-1].split()[:2] == ["all", str(len(digits.test.y))]
    same = explain.compare(net, net, *digits.test)
    assert (same.p_values == 1).all()
    assert same.change == 0
    few = explain.compare(
        net, other, digits.test.X[digits.test.y < 3], digits.test.y[digits.test.y < 3]
    )
    assert np.isnan(few.before[3:]).all()
    with pytest.raises(ValueError, match="b must know the classes of a"):
        explain.compare(
            net, sn.SparseMLP((64, 2, 3)).fit(digits.test.X, digits.test.y % 3), *digits.test
        )


def test_confusion_matrix_counts_pairs(net, digits):
    X, y = digits.test
    matrix = explain.confusion_matrix(net, X, y)
    predicted = net.predict(X)
    for a, b in itertools.product(range(10), repeat=2):
        assert matrix[a, b] == ((y == a) & (predicted == b)).sum()
