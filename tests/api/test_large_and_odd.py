"""Many classes, many inputs, names of any kind, numbers of any size: a right answer or an error.

Nothing here grows with the product of synapses and classes; what is counted is what is kept.
"""

import json
import sys
import warnings

import numpy as np
import pytest
import synaprune as sn
from core.processes import run_alone
from synaprune import explain
from synaprune.report._network import figures

NAMES = (
    "$a_b_c$", "half \ud800", "y" * 100_000, "_under", "new\nline\0\x1b[31m", "</script><b>",
    "\u202eabc", "'\"\\`;--",
)  # fmt: skip
LABELS = np.array(["$x_y_z$", "half \udfff", "z" * 100_000, "_u\n"])
RECIPE = sn.Training(60, optimizer=sn.Adam(lr=0.03))


@pytest.fixture(scope="module")
def odd():
    """A path of networks whose inputs and classes have names of every kind, and its samples."""
    X = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    y = LABELS[np.arange(60) % 4]
    net = sn.SparseMLP((8, 5, 4), seed=0)
    net.input_names = NAMES
    path = sn.prune(
        net,
        X,
        y,
        validation=(X, y),
        n_synapses=30,
        training=sn.Training(20, optimizer=sn.SGD(lr=0.1)),
    )
    return path, X, y


# --- names --------------------------------------------------------------------------------------


def test_names_of_any_kind_are_drawn(odd):
    """A name between dollars used to be read as mathematics, and to end in a ValueError."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    path, X, y = odd
    net, plots = path.smallest, sn.plots
    axes = [
        plots.plot_network(net, explain.annotate_units(explain.ablate(net, X, y))),
        plots.plot_inputs(net),
        plots.plot_inputs(net, (2, 4), label=LABELS[1]),
        plots.plot_class_inputs(net, (2, 4))[0],
        plots.plot_partial_dependence(net, X, 0),
        plots.plot_confusion(explain.confusion_matrix(net, X, y), net.classes),
        plots.plot_ablation(explain.ablate(net, X, y)),
        plots.plot_stability(np.linspace(0.0, 1.0, 8), NAMES),
    ]
    legend = [text.get_text() for text in axes[4].get_legend().get_texts()]
    assert len(legend) == 4
    for ax in axes:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # the font has not all of them
            ax.figure.draw_without_rendering()
        matplotlib.pyplot.close(ax.figure)


def test_a_caption_is_short_and_is_no_mathematics():
    from synaprune.plots._axes import caption

    assert caption("$a$") == r"\$a\$"
    assert caption("a\nb\ud800\0") == "a\ufffdb\ufffd\ufffd"
    assert caption("ä" * 50) == "ä" * 39 + "…"
    assert caption(3) == "3"


def test_names_of_any_kind_come_back_from_files(odd, tmp_path):
    """Half of a pair of surrogates used to be a UnicodeEncodeError once all was trained."""
    path, X, _ = odd
    path.save(tmp_path / "path.npz")
    back = sn.PruningPath.load(tmp_path / "path.npz").smallest
    assert back.input_names == path.smallest.input_names
    assert back.classes.tolist() == sorted(LABELS.tolist())
    assert (back.predict(X) == path.smallest.predict(X)).all()


@pytest.mark.parametrize("way", ["to_python", "to_js", "to_json"])
def test_names_of_any_kind_are_exported(odd, way):
    path, _, _ = odd
    text = getattr(path.smallest, way)()
    assert text.isascii()
    if way == "to_json":
        assert json.loads(text)
    if way == "to_python":
        compile(text, "net.py", "exec")


def test_a_name_that_c_cannot_hold_is_named(odd):
    with pytest.raises(ValueError, match=r"^a name has 100000 bytes, and C takes 4095: 'zz"):
        odd[0].smallest.to_c()


def test_names_of_any_kind_are_reported(odd, tmp_path):
    path, X, y = odd
    path.report(tmp_path / "x.html", validation=(X, y))
    text = (tmp_path / "x.html").read_text("utf-8")
    assert text.count("</script>") == 2


# --- many classes, inputs and synapses ----------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="no resident set to read")
@pytest.mark.limits
def test_energies_and_ablations_of_many_classes_take_little_memory():
    """20000 classes used to take 25 GB: each synapse had a number for each class."""
    code = """
import pathlib, resource
import numpy as np, synaprune as sn
from synaprune import explain
k = 20_000
def most():  # in KB; Linux counts what the process was before its exec in ru_maxrss
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # macOS: bytes
    return int(status.read_text().split("VmHWM:")[1].split()[0])
net = sn.SparseMLP((20, 4, k), seed=0)
X = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
net.partial_fit(X, np.arange(30), classes=np.arange(k))
energy = explain.path_energy(net)
assert abs(explain.feature_energy(net, X).sum(axis=0) - 1).max() < 1e-9
assert sum(map(sum, energy.subnetwork(k - 1))) <= 84
assert abs(explain.mean_feature_energy(net) - energy.inputs.mean(axis=1)).max() < 1e-12
ablation = explain.ablate(net, X, np.arange(30), kinds=["neuron", "synapse"])
assert len(ablation) == 4 + 80 + 4 * k
print(most() < 500e3, most())
"""
    result = run_alone(code)
    assert result.stdout.startswith("True"), result.stdout + result.stderr


def test_shares_of_some_synapses_are_those_of_all():
    net = sn.SparseMLP((5, 4, 3, 6), seed=0)
    energy = explain.path_energy(net)
    for layer, whole in enumerate(energy.synapses):
        some, outputs = np.array([0, 3, 7]), np.array([1, 4])
        assert (energy.of_synapses(layer, some, outputs) == whole[some][:, outputs]).all()


def test_a_unit_alone_has_its_row_of_the_ablation():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    y = X[:, :3].argmax(axis=1)
    net = sn.SparseMLP((6, 5, 3), seed=0).fit(X, y, training=RECIPE)
    ablation = explain.ablate(net, X, y)
    assert (ablation.lost - ablation.won).any()
    for row, unit in enumerate(ablation.units):
        alone = ablation.of_unit(row)
        assert alone.units == (unit,)
        assert (alone.lost[0] == ablation.lost[row]).all()
        assert (alone.won[0] == ablation.won[row]).all()
        assert alone.total_loss[0] == ablation.total_loss[row]
    with pytest.raises(ValueError, match=r"^row must be"):
        ablation.of_unit(len(ablation))


def test_equal_outputs_are_ablated_as_they_are_predicted():
    """Synapses of the last layer are judged by one output and its largest rival."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (200, 4)).astype(np.float32)
    y = np.arange(200) % 5
    net = sn.SparseMLP((4, 5), seed=0, input_scaling="none").fit(X, y, training=sn.Training(1))
    weights = rng.integers(-1, 2, (5, 4))  # so that many outputs are equal
    for row, column in np.ndindex(5, 4):
        net = net.with_weight(0, row, column, float(weights[row, column]))
    ablation = explain.ablate(net, X, y, kinds="synapse")
    right = net.predict(X) == y
    for row, unit in enumerate(ablation.units):
        after = net.with_weight(0, unit.index, unit.source, 0.0).predict(X) == y
        assert (ablation.lost[row] == np.bincount(y[right & ~after], minlength=5)).all(), unit
        assert (ablation.won[row] == np.bincount(y[~right & after], minlength=5)).all(), unit


def test_a_report_of_many_classes_holds_the_largest_figures(tmp_path):
    """Its size used to grow with synapses times classes: 400 classes took minutes."""
    k = 150
    X = np.random.default_rng(0).normal(size=(2 * k, 12)).astype(np.float32)
    y = np.arange(2 * k) % k
    net = sn.SparseMLP((12, 8, k), seed=0).fit(X, y, training=sn.Training(2))
    sn.report.write_report(tmp_path / "x.html", net, validation=(X, y))
    text = (tmp_path / "x.html").read_text("utf-8")
    told = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    energies = [s["energy"] for s in told["network"]["synapses"]]
    assert max(map(len, energies)) == 60
    assert all(len(e) == 1 for e, s in zip(energies, told["network"]["synapses"], strict=True)
               if s["layer"] == 1)  # fmt: skip
    assert sum(map(len, energies)) < 60 * 12 * 8 + 8 * k + 1
    losses = [u["loss"] for units in told["units"]["units"].values() for u in units]
    assert max(map(len, losses)) <= 60


def test_figures_are_the_largest():
    values = np.arange(-50.0, 50.0)
    kept = figures(values)
    assert len(kept) == 60
    assert kept.items() >= {str(i): v for i, v in enumerate(values.tolist()) if abs(v) > 20}.items()
    assert figures(np.array([0.0, 0.5, 0.0])) == {"1": 0.5}


def test_plots_of_many_classes_are_bounded():
    pytest.importorskip("matplotlib").use("Agg")
    k = 3000
    X = np.random.default_rng(0).normal(size=(k, 6)).astype(np.float32)
    net = sn.SparseMLP((6, 3, k), seed=0).fit(X, np.arange(k), training=sn.Training(1))
    few, labels = X[:50], np.arange(50)
    ax = sn.plots.plot_ablation(explain.ablate(net, few, labels, kinds="synapse"))
    assert ax.images[0].get_array().shape == (40, 60)
    assert len(sn.plots.plot_partial_dependence(net, few, 0).lines) == 31
    assert len(sn.plots.plot_network(net).texts) <= 6 + 60
    ax = sn.plots.plot_confusion(np.eye(500, dtype=int))
    assert len(ax.get_xticks()) <= 60
    with pytest.raises(ValueError, match=r"at most 60 classes .*, got 3000; plot_inputs draws one"):
        sn.plots.plot_class_inputs(net, (2, 3))
    sys.modules["matplotlib.pyplot"].close("all")


def test_tens_of_thousands_of_inputs(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    n = 30_000
    X = np.zeros((4, n), np.uint8)
    X[:, 5], X[:, -1] = [0, 250, 0, 250], [250, 0, 250, 0]
    net = sn.SparseMLP((n, 3, 2), activation="tanh", seed=0)
    net.fit(X, [0, 1, 0, 1], training=sn.Training(60, optimizer=sn.Adam(lr=0.1)))
    assert net.score(X, [0, 1, 0, 1]) == 1.0
    sn.report.write_report(tmp_path / "x.html", net, validation=(X, [0, 1, 0, 1]))
    assert (tmp_path / "x.html").stat().st_size < 2_000_000
    ax = sn.plots.plot_network(net)
    assert sum(len(c.get_offsets()) for c in ax.collections if hasattr(c, "get_sizes")) < 3010
    sys.modules["matplotlib.pyplot"].close("all")


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e-30, 1e-20, 1e20, 1e30])
def test_inputs_of_any_scale_that_are_standardised_are_learned(factor):
    X = np.random.default_rng(0).normal(size=(200, 4)) * factor
    y = X[:, 0] > 0
    net = sn.SparseMLP((4, 6, 2), seed=0, input_scaling="standard")
    assert net.fit(X, y, training=RECIPE).score(X, y) > 0.9


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_numbers_of_any_scale_are_learned(factor):
    X = np.random.default_rng(0).normal(size=(200, 4))
    y = X[:, 0] * factor
    net = sn.SparseMLP((4, 6, 1), seed=0, loss="squared_error")
    assert net.fit(X, y, training=RECIPE).score(X, y) > 0.9


def test_constant_and_duplicate_columns_change_nothing_but_themselves():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = X[:, 0] > 0
    odd = np.c_[X, X[:, 0], np.full(200, 7.0), np.zeros(200)]
    for scaling in ("auto", "standard"):
        net = sn.SparseMLP((6, 6, 2), seed=0, input_scaling=scaling).fit(odd, y, training=RECIPE)
        assert net.score(odd, y) > 0.9
    same = np.ones((200, 3))
    net = sn.SparseMLP((3, 4, 2), seed=0).fit(same, y, training=RECIPE)
    assert net.score(same, y) >= 0.5  # it says the more frequent class


@pytest.mark.parametrize("lr", [1e3, 1e10, 1e30])
def test_a_huge_rate_is_a_divergence_that_changes_nothing(lr):
    X = np.random.default_rng(0).normal(size=(60, 8))
    net = sn.SparseMLP((8, 5, 2), seed=0)
    before = net.weights[0].values.copy()
    with pytest.raises(sn.TrainingDiverged, match="try a smaller learning rate"):
        net.fit(X, X[:, 0] > 0, training=sn.Training(50, optimizer=sn.SGD(lr=lr)))
    assert (net.weights[0].values == before).all()


def test_one_sample():
    net = sn.SparseMLP((3, 4, 1), loss="squared_error", seed=0).fit(np.ones((1, 3)), [2.5])
    assert net.predict(np.ones((1, 3))) == pytest.approx([2.5], abs=1e-3)
    with pytest.raises(ValueError, match="y must hold at least two classes"):
        sn.SparseMLP((3, 4, 2)).fit(np.ones((1, 3)), [1])
    with pytest.raises(ValueError, match="X must hold at least 5 rows, one a fold, got 1"):
        sn.smallest_network(np.ones((1, 3)), [1])
