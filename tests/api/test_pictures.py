"""`synaprune.plots` apart from the path: what is drawn, and what is refused."""

import numpy as np
import pytest
import synaprune as sn
from synaprune import explain, plots
from synaprune.explain.graph_layout import node_positions, strongest_synapses

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def digits():
    return sn.datasets.digits()


@pytest.fixture(scope="module")
def path(digits):
    net = sn.SparseMLP((64, 8, 10), seed=0).fit(*digits.train, training=sn.Training(30))
    return sn.prune(
        net, *digits.train, validation=digits.validation, n_synapses=120, training=sn.Training(20)
    )


@pytest.fixture(scope="module")
def net(path):
    return path.smallest


@pytest.fixture(scope="module")
def ablation(net, digits):
    return explain.ablate(net, *digits.validation)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_network_has_a_line_a_synapse_and_names_its_classes(net, ablation):
    labels = explain.annotate_units(ablation.only("neuron"))
    ax = plots.plot_network(net, labels)
    assert sum(len(c.get_segments()) for c in ax.collections if hasattr(c, "get_segments")) == 120
    assert ax.get_title(loc="left") == f"{net.structure}, 120 synapses"
    assert texts(ax)[-10:] == [str(c) for c in range(10)]
    served = [", ".join(map(str, x.classes)) for x in labels if x.classes]
    assert sorted(t for t in texts(ax)[:-10] if not t.startswith("x")) == sorted(served)
    few = plots.plot_network(net, max_synapses=50, ax=pyplot.figure().subplots())
    assert few.get_title(loc="left").endswith("the weakest 70 not drawn")
    for ax in (
        plots.plot_network(sn.SparseMLP((3, 2))),
        plots.plot_network(net.without(neurons=range(8))),
    ):
        ax.figure.canvas.draw()  # never fitted; empty


class Selector:
    """What a fitted `NetworkSelector` has, of which plots need nothing but this."""

    threshold = 0.5
    frequencies_ = np.array([0.25, 1.0, 1.0, 0.5])

    def get_support(self):
        return self.frequencies_ >= self.threshold


def bars(ax):
    """Return the length of each bar by its name, from the top."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    return dict(reversed(list(zip(names, (bar.get_width() for bar in ax.patches), strict=True))))


def test_frequencies_are_sorted_bars_with_a_line():
    ax = plots.plot_stability(Selector())
    assert list(bars(ax).items()) == [("x1", 1.0), ("x2", 1.0), ("x3", 0.5), ("x0", 0.25)]
    assert ax.lines[0].get_xdata() == [0.5, 0.5]
    assert len({bar.get_facecolor() for bar in list(ax.patches)[1:]}) == 1
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()
    selector = Selector()
    selector.feature_names_in_ = np.array(list("abcd"), object)
    assert list(bars(plots.plot_stability(selector))) == list("bcda")
    selector.groups_ = np.array(["g", 7, 7, "h"], object)
    assert bars(plots.plot_stability(selector)) == {"7": 1.0, "h": 0.5, "g": 0.25}
    assert list(bars(plots.plot_stability(selector, ["i", "j", "k"]))) == list("jki")
    many = plots.plot_stability(np.linspace(0.0, 1.0, 50))
    assert (len(many.patches), len(many.lines)) == (30, 0)
    assert many.get_title(loc="left") == "the most frequent 30 of 50"
    assert list(bars(many))[:2] == ["x49", "x48"]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: plots.plot_stability([0.5, 1.5]), ValueError, "^frequencies must be from 0 to 1$"),
        (lambda: plots.plot_stability([[0.5]]), TypeError, "^frequencies must be an array of one"),
        (lambda: plots.plot_stability("ab"), TypeError, "^frequencies must be an array"),
        (lambda: plots.plot_stability([0.5], ["a", "b"]), ValueError, "^names must hold 1 names"),
        (lambda: plots.plot_stability([0.5], threshold=2), ValueError, "^threshold must be"),
        (lambda: plots.plot_stability(type("S", (), {"get_support": 0})()), ValueError,
         "^selector must be fitted with n_resamples"),
    ],
)  # fmt: skip
def test_frequencies_that_are_none_are_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_one_output_has_the_colour_of_the_class_it_is_named_for():
    net = sn.SparseMLP((2, 3, 1), seed=0).fit(np.eye(2), ["no", "yes"])
    ax = plots.plot_network(net)
    assert texts(ax)[-1] == "yes"
    assert matplotlib.colors.to_hex(ax.collections[-1].get_facecolor()[0]) == "#88ccee"


def test_colours_and_widths_are_sign_and_size():
    net = sn.SparseMLP((2, 1), seed=0)
    net = net.with_weight(0, 0, 0, 2.0).with_weight(0, 0, 1, -0.5)
    (lines,) = [c for c in plots.plot_network(net).collections if hasattr(c, "get_segments")]
    thin, thick = lines.get_linewidths()
    assert thick > 2 * thin
    minus, plus = (matplotlib.colors.to_hex(c) for c in lines.get_colors())
    assert (minus, plus) == ("#ee7733", "#0077bb")


def test_used_inputs_are_shaded_by_energy(net):
    ax = plots.plot_inputs(net, (8, 8))
    (image,) = ax.images
    shown = image.get_array()
    energy = explain.feature_energy(net).mean(axis=1).reshape(8, 8)
    assert (np.ma.getmaskarray(shown) == (energy == 0)).all()
    np.testing.assert_allclose(shown.filled(0) ** 2, energy, atol=1e-7)
    assert ax.get_title(loc="left") == f"all classes: {net.n_used_inputs} inputs"
    three = plots.plot_inputs(net, (8, 8), label=3)
    assert three.get_title(loc="left").startswith("class 3: ")
    bars = plots.plot_inputs(net)
    assert len(bars.patches) == min(30, net.n_used_inputs)
    grid = plots.plot_class_inputs(net, (8, 8))
    assert [ax.get_title().split(":")[0] for ax in grid] == [str(c) for c in range(10)]


@pytest.mark.parametrize(
    ("shape", "error"),
    [((7, 9), ValueError), (64, TypeError), ((8, 8.0), TypeError), ((64,), TypeError)],
)
def test_a_shape_that_does_not_fit_is_named(net, shape, error):
    for call in (plots.plot_inputs, plots.plot_class_inputs):
        with pytest.raises(error, match="image_shape"):
            call(net, shape)


def test_unknown_labels_and_axes_are_named(net):
    with pytest.raises(ValueError, match=r"^label must be one of \[0, .*, got 11$"):
        plots.plot_inputs(net, label=11)
    with pytest.raises(ValueError, match="never fitted"):
        plots.plot_inputs(sn.SparseMLP((3, 2)), label=1)
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, got int"):
        plots.plot_network(net, ax=3)


def test_wsf_before_and_after_a_cut(path):
    ax = plots.plot_wsf(path, 1)
    gone = path.steps[1].n_removed
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == [f"removed ({gone})", f"kept ({path.steps[1].n_synapses})", "after retraining"]
    assert ax.get_title(loc="left").startswith("step 1: 592 → ")
    with pytest.raises(ValueError, match="step must not be 0"):
        plots.plot_wsf(path, 0)
    with pytest.raises(IndexError, match=r"^step must be from .* to .*, got 1000$"):
        plots.plot_wsf(path, 1000)


def test_ablation_shows_what_matters_most(ablation):
    ax = plots.plot_ablation(ablation)
    (image,) = ax.images
    assert image.get_array().shape == (40, 10)
    shown = abs(100 * ablation.loss).max()
    assert image.get_array().max() == pytest.approx(shown)
    assert ax.get_title(loc="left") == f"the 40 units with the largest changes, of {len(ablation)}"
    neurons = plots.plot_ablation(ablation.only("neuron"), ax=pyplot.figure().subplots())
    assert neurons.get_yticklabels()[0].get_text() == "neuron 0 of layer 0"
    bare = sn.SparseMLP((2, 2), seed=0).fit(np.eye(2), [0, 1])
    none = explain.ablate(bare, np.eye(2), [0, 1]).only("neuron")
    with pytest.raises(ValueError, match="ablation must hold a unit"):
        plots.plot_ablation(none)


@pytest.fixture(scope="module")
def numbers():
    """A network of two numbers, and its samples."""
    X = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    y = np.column_stack([100.0 * X[:, 0], np.abs(X[:, 1])])
    net = sn.SparseMLP((4, 6, 2), loss="squared_error", init_scale=0.5, seed=0).fit(X, y)
    return net.without(inputs=[3]), X, y


def test_numbers_have_pictures_too(numbers):
    net, X, y = numbers
    assert texts(plots.plot_network(net))[-2:] == ["y0", "y1"]
    alone = sn.SparseMLP((4, 1), loss="squared_error", seed=0)
    assert texts(plots.plot_network(alone))[-1] == "y"
    assert plots.plot_inputs(net).get_xlabel() == "feature energy, all outputs"
    ablation = explain.ablate(net, X, y)
    ax = plots.plot_ablation(ablation.only("input"))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["y0", "y1"]
    np.testing.assert_array_equal(ax.images[0].get_array(), ablation.only("input").loss)
    assert ax.get_xlabel() == "number"
    assert ax.images[0].colorbar.ax.get_ylabel() == "drop in R²"
    for draw in (
        lambda: plots.plot_inputs(net, label=1),
        lambda: plots.plot_class_inputs(net, (2, 2)),
    ):
        with pytest.raises(ValueError, match=r"^the network predicts numbers, not classes$"):
            draw()
    assert not plots.plot_inputs(net, (2, 2)).images[0].get_array().mask[0, 0]


def test_partial_dependence_is_drawn_for_numbers_and_classes(numbers, net, digits):
    numbers_net, X, _ = numbers
    ax = plots.plot_partial_dependence(numbers_net, X, 0)
    curve = explain.partial_dependence(numbers_net, X, 0)
    assert ax.lines[1].get_xdata().tolist() == curve.values.tolist()
    assert ax.lines[1].get_ydata().tolist() == curve.average[:, 1].tolist()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x0", "mean prediction")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["y0", "y1"]
    assert len(ax.lines[2].get_xdata()) == 9
    used = int(net.used_inputs[3])
    ax = plots.plot_partial_dependence(net, digits.test.X, used, ax=pyplot.figure().subplots())
    assert ax.get_ylabel() == "mean probability"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [str(c) for c in range(10)]


def test_confusion_counts_stand_in_their_cells(net, digits):
    matrix = explain.confusion_matrix(net, *digits.test)
    ax = plots.plot_confusion(matrix, net.classes)
    assert sum(int(t) for t in texts(ax)) == len(digits.test.y)
    with pytest.raises(ValueError, match="square"):
        plots.plot_confusion(matrix[:3])
    with pytest.raises(ValueError, match="classes must have 10 labels, got 2"):
        plots.plot_confusion(matrix, ["a", "b"])


def test_the_strongest_of_each_layer_are_kept():
    net = sn.SparseMLP((10, 6, 3), seed=0, init_scale=1.0)
    kept = strongest_synapses(net, 30)
    assert sum(map(np.sum, kept)) == 30
    relative = [abs(w.values) / abs(w.values).max() for w in net.weights]
    least = min(r[k].min() for r, k in zip(relative, kept, strict=True))
    assert all((r[~k] <= least).all() for r, k in zip(relative, kept, strict=True))
    assert all(k.all() for k in strongest_synapses(net, 1000))


def test_dead_neurons_are_not_drawn():
    """A frozen synapse may lead to a neuron that nothing reads any more."""
    net = sn.SparseMLP((3, 3, 2), seed=0, init_scale=1.0).with_frozen(synapses=[(0, 1, 2)])
    scores = np.r_[np.ones(9), [1, 0, 1, 1, 0, 1]].astype(np.float32)
    net._core.cut(scores, 2)
    assert net.structure == "3-2-2"
    assert net.n_synapses == 6 + 1 + 4
    assert sum(map(np.sum, strongest_synapses(net, 100))) == 10
    plots.plot_network(net).figure.canvas.draw()


def test_neurons_stand_where_their_synapses_lead():
    """Two separate strands do not cross, however their neurons are numbered."""
    net = sn.SparseMLP((4, 2, 2), seed=0, init_scale=1.0)
    strands = net.without(
        synapses=[(1, 0, 0), (1, 1, 1), (0, 0, 0), (0, 0, 2), (0, 1, 1), (0, 1, 3)]
    )
    inputs, hidden, outputs = node_positions(strands)
    assert outputs == {0: 0.25, 1: 0.75}
    assert hidden == {1: 0.25, 0: 0.75}
    assert max(inputs[0], inputs[2]) < min(inputs[1], inputs[3])
