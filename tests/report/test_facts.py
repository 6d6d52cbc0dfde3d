"""What a report tells, and what it refuses."""

import json
import re

import numpy as np
import pytest
import synaprune as sn
from synaprune import explain
from synaprune.labels import LabelEncoder
from synaprune.report import write_report
from synaprune.report._facts import collect
from synaprune.report._write import page


def facts_of(file):
    text = file.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def dense(figures, n):
    """The figures of a unit by class, those left out being 0."""
    return [figures.get(str(c), 0.0) for c in range(n)]


@pytest.fixture(scope="module")
def facts(digits, digits_path, tmp_path_factory):
    file = tmp_path_factory.mktemp("facts") / "digits.html"
    digits_path.report(file, validation=digits.validation, test=digits.test, image_shape=(8, 8))
    return facts_of(file)


def test_the_network_is_drawn_whole(facts, digits_path):
    net = digits_path.smallest
    assert [len(column) for column in facts["network"]["columns"]] == list(net._core.structure)
    assert len(facts["network"]["synapses"]) == net.n_synapses
    assert facts["network"]["synapses_left_out"] == 0
    w = net.weights[0]
    s = facts["network"]["synapses"][3]
    assert (s["layer"], s["from"], s["to"]) == (0, w.indices[3], w.rows[3])
    assert s["weight"] == pytest.approx(w.values[3], rel=1e-3)
    energy = explain.path_energy(net)
    np.testing.assert_allclose(dense(s["energy"], 10), energy.synapses[0][3], rtol=1e-3)


def test_ablations_are_those_of_without(facts, digits, digits_path):
    net = digits_path.smallest
    for part in facts["units"]["units"]["neuron"]:
        other = net.without(neurons=[(part["layer"], part["id"])])
        change = explain.compare(net, other, *digits.validation)
        np.testing.assert_allclose(dense(part["loss"], 10), change.before - change.after, rtol=1e-3)
        assert part["total"] == pytest.approx(-change.change, rel=1e-3)
    assert facts["units"]["labelled_on"] == "validation"
    assert facts["units"]["replicated_on"] == "test"
    assert "units are labelled" in facts["units"]["replicated"]["neuron"]
    assert facts["units"]["confusion"] == explain.confusion_matrix(net, *digits.test).tolist()


def test_figures_are_those_of_the_network(facts, digits, digits_path):
    net = digits_path.smallest
    summary = facts["summary"]
    assert summary["structure"] == net.structure
    assert summary["full"]["synapses"] == 64 * 12 + 120
    assert summary["accuracy"]["test"]["final"] == net.score(*digits.test)
    assert summary["accuracy"]["test"]["full"] == digits_path.network(0).score(*digits.test)
    assert [s["synapses"] for s in facts["curve"]] == [s.n_synapses for s in digits_path]
    assert facts["origin"]["seed"] == "0"


def test_samples_sum_to_their_logit(facts):
    assert len(facts["samples"]["picked"]) == 40
    for s in facts["samples"]["picked"]:
        total = sum(s["attributions"]) + s["bias"]
        assert total == pytest.approx(
            s["logit"], abs=2e-3 * sum(map(abs, s["attributions"])) + 1e-2
        )
        assert len(s["pixels"]) == 64
        assert max(s["pixels"]) == 255


def test_xor_has_its_rule_and_mnist_like_data_none(digits, digits_path):
    data = sn.datasets.xor()
    net = sn.SparseMLP((2, 8, 1), activation="sigmoid", init_scale=1.0, seed=1)
    net.fit(*data.train, training=sn.Training(3000, batch_size=4, optimizer=sn.SGD(lr=1.0)))
    told = collect(
        net, validation=data.validation, test=None, image_shape=None, max_synapses=10, threads=1
    )
    assert told["rules"]["text"].startswith(
        "Exact, over all combinations of the 2 inputs: false is 0, true is 1."
    )
    assert told["rules"]["lines"][-1] == "class 1: x0 xor x1"
    assert told["network"]["synapses_left_out"] == net.n_synapses - 10
    assert told["units"]["replicated_on"] is None


def test_a_million_synapses_are_drawn_in_part(tmp_path):
    net = sn.SparseMLP((1000, 1000, 10), seed=0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 1000)).astype(np.float32)
    net.fit(X, np.arange(100) % 10, training=sn.Training(1))
    write_report(tmp_path / "large.html", net, validation=(X, np.arange(100) % 10))
    told = facts_of(tmp_path / "large.html")
    assert 2900 <= len(told["network"]["synapses"]) <= 3000
    assert told["network"]["synapses_left_out"] == net.n_synapses - len(told["network"]["synapses"])
    assert "synapse" not in told["units"]["units"]
    assert (tmp_path / "large.html").stat().st_size < 2_000_000


def test_no_name_can_end_the_data(named):
    net, X, y = named(("</script><script>alert(1)</script>", "b", "c"))
    told = collect(net, validation=(X, y), test=None, image_shape=None, max_synapses=100, threads=1)
    text = page(told, "</title><script>alert(2)</script>")
    assert "alert(1)</script>" not in text
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert "</script><script>alert(1)</script>" in told["classes"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"image_shape": (8, 9)}, ValueError, "image_shape must have 64 pixels"),
        ({"image_shape": 64}, TypeError, "image_shape must be a pair"),
        ({"validation": np.zeros((3, 64))}, TypeError, "validation must be a pair"),
        ({"test": (np.zeros((3, 64)),)}, ValueError, "test must be a pair"),
        ({"test": (np.zeros((3, 5)), [1, 2, 3])}, ValueError, "test X must have 64 columns"),
        ({"max_synapses": 0}, ValueError, "max_synapses must be"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_written(
    digits_path, tmp_path, options, error, message
):
    (tmp_path / "old.html").write_text("old")
    with pytest.raises(error, match=message):
        write_report(tmp_path / "old.html", digits_path, **options)
    assert (tmp_path / "old.html").read_text() == "old"


def test_titles_may_hold_anything(named, tmp_path):
    """A title with a placeholder in it used to empty the page."""
    net, *_ = named()
    write_report(tmp_path / "x.html", net, title="my {{facts}} {{script}} \udcff set")
    assert facts_of(tmp_path / "x.html")["classes"] == ["a", "b", "c"]
    assert "<title>my {{facts}} {{script}} ? set" in (tmp_path / "x.html").read_text("utf-8")


def test_labels_are_not_replicated_on_the_same_samples(digits, digits_path):
    pair = digits.validation
    told = collect(
        digits_path, validation=pair, test=pair, image_shape=None, max_synapses=9, threads=1
    )
    assert told["units"]["replicated_on"] is None


def test_samples_are_checked_once(digits, digits_path, monkeypatch, tmp_path):
    """Every section used to check the inputs and to encode the labels again."""
    calls = []
    encode = LabelEncoder.encode
    monkeypatch.setattr(LabelEncoder, "encode", lambda *a: calls.append(a) or encode(*a))
    write_report(tmp_path / "x.html", digits_path, validation=digits.validation, test=digits.test)
    assert len(calls) == 2


def test_counts_are_of_the_whole_network_not_of_what_is_drawn(digits, digits_path):
    net = digits_path.smallest
    told = collect(net, validation=None, test=None, image_shape=None, max_synapses=9, threads=1)
    of_three = explain.path_energy(net).subnetwork(3, 0.9)
    assert told["network"]["carrying"][3] == sum(map(np.sum, of_three))
    assert told["network"]["leading"][3] == np.diff(net.weights[1].indptr)[3]


def test_numbers_have_drops_in_r2_and_response_curves(of_numbers, tmp_path):
    path, X, y = of_numbers
    net = path.smallest
    path.report(tmp_path / "numbers.html", validation=(X[:90], y[:90]), test=(X[90:], y[90:]))
    told = facts_of(tmp_path / "numbers.html")
    assert (told["classes"], told["numbers"]) == (None, ["y0", "y1"])
    assert (told["rules"], told["samples"]) == (None, None)
    assert told["summary"]["metric"] == "R²"
    assert told["summary"]["accuracy"]["test"]["final"] == net.score(X[90:], y[90:])
    assert [output["name"] for output in told["network"]["columns"][-1]] == ["y0", "y1"]
    units, ablation = told["units"], explain.ablate(net, X[:90], y[:90])
    assert units["measured_on"] == "validation"
    for kind in ("input", "neuron", "synapse"):
        losses = [dense(unit["loss"], 2) for unit in units["units"][kind]]
        np.testing.assert_allclose(losses, ablation.only(kind).loss, rtol=1e-3)
    energy = explain.feature_energy(net).mean(axis=1)
    curves = told["responses"]["curves"]
    assert [c["input"] for c in curves] == [
        f"x{i}" for i in np.argsort(-energy)[: net.n_used_inputs]
    ]
    curve = explain.partial_dependence(net, X[:90], int(np.argmax(energy)))
    assert curves[0]["values"] == curve.values.tolist()
    assert curves[0]["average"] == curve.average.T.tolist()
    assert told["responses"]["samples"] == 90


def test_response_curves_are_few_and_of_few_samples(monkeypatch, of_numbers):
    path, X, y = of_numbers
    monkeypatch.setattr(sn.report._responses, "_MAX_SAMPLES", 40)
    monkeypatch.setattr(sn.report._responses, "_MAX_OUTPUTS", 1)
    monkeypatch.setattr(sn.report._responses, "_MAX_INPUTS", 2)
    told = collect(path, validation=(X, y), test=None, image_shape=None, max_synapses=9, threads=1)[
        "responses"
    ]
    assert (told["samples"], told["outputs"]) == (38, 1)
    assert [len(curve["average"]) for curve in told["curves"]] == [1, 1]


def test_what_cannot_be_reported_is_named(tmp_path):
    with pytest.raises(ValueError, match="never fitted"):
        write_report(tmp_path / "x.html", sn.SparseMLP((3, 2)))
    with pytest.raises(TypeError, match="PruningPath or a SparseMLP, got int"):
        write_report(tmp_path / "x.html", 3)
    with pytest.raises(ValueError, match="must have a step to report"):
        write_report(tmp_path / "x.html", sn.PruningPath(sn.SparseMLP((3, 2))))
    assert not (tmp_path / "x.html").exists()


def test_small_networks_show_their_formula_and_interactions(facts):
    assert facts["formula"] is None  # of 150 synapses
    X = np.random.default_rng(0).uniform(size=(80, 3)).astype(np.float32)
    net = sn.SparseMLP((3, 3, 1), loss="squared_error", seed=0)
    net.fit(X, X[:, 0] * X[:, 1], training=sn.Training(20))
    arguments = {"test": None, "image_shape": None, "max_synapses": 9, "threads": 1}
    told = collect(net, validation=(X, X[:, 2]), **arguments)["formula"]
    everywhere = explain.equation(net, digits=4)
    assert told["lines"] == everywhere.text.split("\n")
    assert any(
        note.startswith("Numbers are rounded to 4 digits. On the 80") for note in told["notes"]
    )
    assert told["interactions"] == str(explain.interactions(net, X)).split("\n")
    bare = collect(net, validation=None, **arguments)["formula"]
    assert (bare["lines"], bare["interactions"]) == (told["lines"], [])
