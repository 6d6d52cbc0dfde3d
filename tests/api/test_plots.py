"""`PruningPath.plot`: what is drawn, where, and what is refused."""

import sys

import numpy as np
import pytest
import synaprune as sn

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def path(trained3):
    net, X, y = trained3()
    return sn.prune(net, X, y, validation=(X, y), n_synapses=9, training=sn.Training(12))


def drawn(ax):
    return [tuple(map(list, line.get_data())) for line in ax.lines]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_point_a_step_on_a_logarithmic_axis(path, tmp_path):
    ax = path.plot()
    counts, accuracies = [s.n_synapses for s in path], [s.score for s in path]
    curve, full, ring = drawn(ax)
    assert curve == (counts, accuracies)
    assert set(full[1]) == {accuracies[0]}
    assert ring == ([counts[-1]], [accuracies[-1]])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("synapses", "validation accuracy")
    for s in (path.steps[0], path.steps[-1]):
        assert f"{s.structure}\n{s.n_synapses} synapses, {s.score:.2%}" in texts(ax)
    ax.figure.savefig(tmp_path / "path.png")
    assert (tmp_path / "path.png").stat().st_size > 5000


def test_paths_share_axes_that_are_given(path):
    _, (left, right) = pyplot.subplots(1, 2)
    assert path.plot(right) is right
    assert path.plot(ax=right) is right
    assert not left.lines
    assert len(right.lines) == 6
    assert len(right.texts) == 3  # the start is named once
    colours = [line.get_color() for line in right.lines]
    assert colours == [colours[0]] * 3 + [colours[3]] * 3
    assert colours[0] != colours[3]


def test_a_network_of_nothing_has_its_place(trained3):
    net, X, y = trained3()
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=1.0, strategy=sn.Iterative(retrain_epochs=1)
    )
    assert path.smallest.n_synapses == 0
    ax = path.plot()
    assert ax.get_xscale() == "symlog"
    ax.figure.canvas.draw()
    assert path.plot(ax).get_xscale() == "symlog"


def test_other_metrics_are_no_percentages(trained3):
    net, _, _ = trained3()
    path = sn.PruningPath(net)
    path.add(net, criterion="wsf", epochs=0, score_after_cut=-3.0, score=-3.0, p_value=1.0)
    ax = path.plot()
    assert texts(ax) == ["5-8-3\n64 synapses, -3"] * 2
    ax.figure.canvas.draw()
    assert not any("%" in label.get_text() for label in ax.get_yticklabels())


@pytest.mark.parametrize(
    ("metric", "label"),
    [("r2", "validation R²"), ("neg_mean_absolute_error", "validation neg mean absolute error")],
)
def test_the_axis_is_the_metric_of_the_path(metric, label, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    net = sn.SparseMLP((3, 4, 1), loss="squared_error", seed=0).fit(X, X[:, 0])
    made = sn.prune(
        net, X, X[:, 0], validation=(X, X[:, 0]), n_synapses=6, metric=metric,
        training=sn.Training(4),
    )  # fmt: skip
    made.save(tmp_path / "path.npz")
    for path in (made, sn.PruningPath.load(tmp_path / "path.npz")):
        ax = path.plot(pyplot.figure().subplots())
        assert ax.get_ylabel() == label
        assert f"{path.steps[-1].n_synapses} synapses, {path.steps[-1].score:.4g}" in texts(ax)[0]
        assert not any("%" in tick.get_text() for tick in ax.get_yticklabels())


def test_what_cannot_be_drawn_is_refused(path, trained3):
    with pytest.raises(ValueError, match=r"^the path must have a step to plot, got an empty one$"):
        sn.PruningPath(trained3()[0]).plot()
    for ax in (5, "axes", np.zeros(3)):
        with pytest.raises(TypeError, match=r"^ax must be a matplotlib Axes, got "):
            path.plot(ax)


def test_without_matplotlib_the_error_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "synaprune\[plot\]"'):
        path.plot()
