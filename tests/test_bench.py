"""What the bench's scripts compute, apart from times."""

import dataclasses
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
stats = pytest.importorskip("bench.paper.stats", exc_type=ImportError)
from bench import machine, radix, regression, scaling, train, tune  # noqa: E402
from bench.data import full_weights  # noqa: E402
from bench.leaderboard.rows import DEPTH, LOOPS, OPTIONS, ROWS, Recipe  # noqa: E402
from bench.paper import generated, networks, problems, tables  # noqa: E402


def test_mean_interval_is_students():
    values = [1.0, 2.0, 4.0, 5.0]
    mean, low, high = stats.mean_interval(values)
    assert mean == 3.0
    half = 3.182446305 * np.std(values, ddof=1) / 2  # t with 3 degrees of freedom
    assert (low, high) == (pytest.approx(3.0 - half), pytest.approx(3.0 + half))
    assert stats.mean_interval([7.0]) == (7.0, -math.inf, math.inf)


def test_precision_and_recall():
    assert stats.precision_recall([1, 2, 3, 4], [1, 2]) == (0.5, 1.0)
    assert stats.precision_recall([], [1, 2]) == (0.0, 0.0)
    assert stats.precision_recall([5, 6], [6, 7, 8, 9]) == (0.5, 0.25)


def test_rank_correlation_sees_order_alone():
    assert stats.rank_correlation([1, 2, 3], [1, 10, 1000]) == pytest.approx(1.0)
    assert stats.rank_correlation([1, 2, 3], [9, 0, -5]) == pytest.approx(-1.0)


def test_who_is_ahead_is_said_by_the_interval():
    assert stats.compared("a", "b", [0.1, 0.11, 0.12]).startswith("a is ahead (a - b: +0.1100")
    assert stats.compared("a", "b", [-0.1, -0.11, -0.12]).startswith("b is ahead")
    assert stats.compared("a", "b", [0.1, -0.11, 0.02]).startswith("neither is ahead")
    assert stats.compared("a", "b", [0.5]).startswith("neither")  # one run says nothing
    assert stats.verdict("It works", True) == "It works: holds."
    assert stats.verdict("It works", False) == "It works: does not hold."


def test_development_runs_leave_the_results_alone(monkeypatch, tmp_path):
    """This used to overwrite bench/results/paper.png."""
    from bench.paper import __main__ as paper

    folders = []
    monkeypatch.setattr(paper.sn.datasets, "mnist", lambda folder: None)
    monkeypatch.setattr(
        paper, "draw", lambda report, data, seed, folder, **_: folders.append((seed, folder))
    )
    monkeypatch.setattr(paper, "write_results", lambda *a: folders.append(a[:2]))
    flags = ("paper", "--data-dir", str(tmp_path), "--only", "features")
    for more in ((), ("--final", "--quick"), ("--final",)):
        monkeypatch.setattr(sys, "argv", [*flags, *more])
        paper.main()
    assert folders[0][0] >= 1000
    assert paper.RESULTS not in (folders[0][1], folders[1][1])
    assert folders[2] == ("paper_features", "")  # the log alone
    assert folders[3:] == [(11, paper.RESULTS), ("paper_features", "The poster's claims")]


@pytest.mark.parametrize("make", [make for make, _ in generated.PROBLEMS])
def test_generated_problems_depend_on_their_informative_inputs(make):
    problem = make(3)
    others = np.setdiff1d(np.arange(problem.layers[0]), problem.informative)
    assert len(problem.informative) + len(others) == problem.X.shape[1]
    assert set(problem.y.tolist()) == {0, 1}
    inputs = list(problem.informative)
    if problem.name == "parity":
        product = problem.X[:, inputs].prod(axis=1)
        agree = ((product > 0) == problem.y).mean()
        assert max(agree, 1 - agree) == pytest.approx(0.95, abs=0.02)
    one, again, other = make(3), make(3), make(4)
    assert (one.X == again.X).all()
    assert not np.array_equal(one.X, other.X)


def test_a_fold_is_pruned_to_its_share_and_judged_on_the_rest():
    choices = tables.nested(tables.Job(problems.table("iris"), 1000, 0, 0.2, epochs=20))
    assert choices.keys() == tables.CHOICES.keys()
    for outcome, setting in choices.values():
        assert outcome.n_synapses <= 28
        assert outcome.full > 0.8
        assert setting.criterion in tables.CRITERIA
    assert choices["wsf"][1].criterion == "wsf"


def test_a_fold_does_not_choose_by_what_it_is_tested_on():
    """Settings used to be chosen by the outer folds."""
    problem = problems.table("iris")
    test = tables._folds(problem, np.arange(150), 1000, 5)[0][1]
    y = problem.y.copy()
    y[test] = (y[test] + 1) % 3
    other = dataclasses.replace(problem, y=y)
    train = tables._folds(problem, np.arange(150), 1000, 5)[0][0]
    assert not set(train) & set(test)
    job = tables.Job(problem, 1000, 0, 0.2, epochs=20)

    def chosen(of):
        with pytest.MonkeyPatch.context() as patch:
            fold = [(train, test), *([None] * 4)]
            folds = tables._folds
            patch.setattr(
                tables, "_folds", lambda p, r, s, n: fold if n == 5 else folds(p, r, s, n)
            )
            return {
                name: setting
                for name, (_, setting) in tables.nested(
                    dataclasses.replace(job, problem=of)
                ).items()
            }

    assert chosen(problem) == chosen(other)


def test_a_share_that_holds_in_the_mean_alone_is_called_so():
    def outcomes(*drops):
        return [networks.Outcome(0.95, 0.95 - drop, 10) for drop in drops]

    assert tables.verdict(0.1, outcomes(0.0, 0.001, 0.002)) == "90.0% removed holds"
    assert tables.verdict(0.2, outcomes(0.0, 0.001, 0.002)) == "80.0% is what holds"
    assert tables.verdict(0.1, outcomes(-0.02, 0.03, 0.0)).endswith("holds by the mean alone")


def test_recipes_say_how_they_differ():
    assert Recipe((20,), 1259).text() == ""
    assert Recipe((20,), 1259, lr=0.4, shift=0.5).text() == "lr 0.4, shift 0.5"
    for recipe in (*ROWS.values(), *LOOPS.values(), *OPTIONS.values(), *DEPTH.values()):
        assert recipe.strategy.final_optimizer.l1 == (recipe.l1 if recipe.l1_to_the_end else 0.0)


def test_every_tuned_constant_has_candidates():
    header = (tune.ROOT / tune.HEADER).read_text()
    defined = set(re.findall(r"(\w+) = [^,;]+[,;]", header))
    # Limits of 16-bit columns, of memory and of delay; what a waiting thread does in the end.
    fixed = {"widest_block", "gradient_batch", "worth_a_piece", "interruptible", "yields", "nap_us"}
    assert defined == tune.CONSTANTS.keys() | fixed
    for name, constant in tune.CONSTANTS.items():
        for value in constant.candidates:
            assert f"{name} = {value}" not in header
            assert f"{name} = {value}" in tune.changed(header, name, value)


def test_the_machine_is_described():
    """This used to look for a key that the build's information no longer has."""
    text = "\n".join(machine.describe(quick=True))
    info = sn.build_info()
    assert f"ISA {info['isa']}, {info['compiler']}, {info['threads']} threads" in text


def test_the_bench_calls_the_package_as_it_is():
    """These used to pass keywords that `fit` no longer takes."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (200, 784)).astype(np.uint8), np.arange(200) % 10
    ours = next(train.contenders(full_weights(), X, y, 64))
    ours.call()
    scaling.contender(sn.SparseMLP((scaling.INPUTS, 3, scaling.CLASSES), seed=0), 99, 1).call()


def test_a_shuffle_of_numbers(monkeypatch, capsys):
    monkeypatch.setattr(sn.search._recipe, "_UPDATES", (50, 50))
    monkeypatch.setattr(sn.search._candidates, "CANDIDATES", sn.search.CANDIDATES[:1])
    records = [regression.run((Path(), "friedman1", shuffle)) for shuffle in (1000, 1001)]
    assert records[0].rows == 500
    assert set(records[0].r2) == {"full", "pruned", "ridge", "mlp", "mlp_scaled"}
    assert min(record.r2["ridge"] for record in records) > 0.5
    report = regression.Report()
    regression._tell(report, records)
    assert "| friedman1 | 500 | 10 |" in report.markdown()
    assert "of 2 |" in capsys.readouterr().out


def test_an_interval_covers_what_its_rows_may_say():
    y = np.random.default_rng(0).normal(size=200)
    good = y + 0.1 * np.random.default_rng(1).normal(size=200)
    expected = sn.search.Estimate(0.99, 0.98, 1.0, "", False)
    assert regression.covered(expected, y, good)
    assert not regression.covered(expected, y, np.zeros(200))


def test_the_leaderboard_shares_as_few_weights_as_the_accuracy_allows(monkeypatch):
    from bench.leaderboard import runs

    data, recipe = sn.datasets.digits(), Recipe((12,), 100, share_drop=0.03)
    net = sn.SparseMLP((64, 12, 10), seed=1000)
    net.fit(*data.train, training=sn.Training(10, batch_size=16, optimizer=sn.SGD(0.1)))
    monkeypatch.setattr(runs, "N_VALUES", (2, 64, 128))
    shared = runs._shared(net, *data.train, data, recipe)
    assert shared.n_values == 64
    assert shared.validation >= net.score(*data.validation) - 0.03
    assert shared.bits < sn.count_bits(net).total / 2
    assert all(row.share_drop for row in ROWS.values())
    assert "share" not in ROWS["500"].text()


def test_radix_nets_reach_everything_and_infer_as_dense_ones_do():
    layers = radix.radix_net(1024)
    W = [layer.to_dense() for layer in layers[:2]]
    assert all(((w != 0).sum(axis=axis) == radix.FAN_IN).all() for w in W for axis in (0, 1))
    assert ((W[1] @ W[0]) > 0).all()
    X = (np.random.default_rng(0).random((1024, 70)) < 0.3).astype(np.float32)
    X[:, 5] = 0
    alive, Y = radix.ours(layers)(X)
    for layer in layers:
        X = np.clip(layer.to_dense() @ X + layer.bias[:, None], 0, radix.CAP)
    np.testing.assert_array_equal(alive, np.flatnonzero(X.any(axis=0)))
    np.testing.assert_allclose(Y, X[:, alive], rtol=1e-4)
