"""`explain.equation`: every form of the formula says what the network says."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from export.networks import given, random_network, tolerance
from synaprune import explain
from synaprune.explain._notation import identifiers, latex_name
from synaprune.program import Program

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)


def ready(sizes, rows, biases, *, loss="auto", activation="relu", scaling="none"):
    """A network with given dense weights."""
    net = sn.SparseMLP(sizes, loss=loss, activation=activation, input_scaling=scaling)
    n = max(4, sizes[-1])
    y = np.arange(n) % max(2, sizes[-1])
    if net.is_regression:
        y = np.random.default_rng(0).normal(size=(n, sizes[-1])).squeeze()
    net.fit(np.arange(1.0 * n * sizes[0]).reshape(n, -1) % 5, y, training=sn.Training(1))
    if net.is_regression:
        one = np.ones(sizes[-1])
        net._targets = dataclasses.replace(net._targets, mean=0 * one, scale=one)
    layers = [
        sn.SparseLayer.from_dense(np.array(w, np.float32), np.array(b, np.float32))
        for w, b in zip(rows, biases, strict=True)
    ]
    return net.set_weights(layers)


def called(equation, X):
    """What the Python text says of rows."""
    space = {}
    exec(equation.python("f"), space)
    columns = [i.feature for i in equation.inputs]
    said = [space["f"](*row) for row in X[:, columns].astype(float).tolist()]
    return np.reshape(said, (len(X), -1))


def close(a, b, size=None):
    size = np.maximum(1.0, np.abs(b)).max()
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * size)


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_random_networks_are_said_by_every_form(first):
    simplified = 0
    for seed in range(first, first + 100):
        net, X = random_network(seed)
        program = Program.of(net)
        whole = explain.equation(net)
        assert (np.abs(whole.evaluate(X) - given(net, X)) <= tolerance(program, X)).all(), seed
        close(called(whole, X), whole.evaluate(X))
        on_rows = explain.equation(net, X)
        close(on_rows.evaluate(X), whole.evaluate(X))
        close(called(on_rows, X), whole.evaluate(X))
        assert on_rows.difference <= np.max(tolerance(program, X))
        simplified += on_rows.assumes == "rows"
        if net.activation in ("relu", "leaky_relu"):
            low, high = X.min(axis=0), X.max(axis=0)
            boxed = explain.equation(net, X, bounds=(low, high))
            inside = np.random.default_rng(seed).uniform(low, high, X.shape).astype(np.float32)
            inside = np.clip(inside, low, high)
            close(boxed.evaluate(inside), whole.evaluate(inside))
    assert simplified


LOSSES = ("softmax", "sigmoid", "squared", "squared_error", "softmax")


@pytest.mark.parametrize(("activation", "loss"), list(zip(sn.ACTIVATIONS, LOSSES, strict=True)))
def test_sympy_says_the_same(activation, loss):
    sympy = pytest.importorskip("sympy")
    n_out = 1 if loss == "sigmoid" else 3
    rows = [[[1, -0.7], [0.4, 0.3]], np.arange(2 * n_out).reshape(n_out, 2) - 1.5]
    net = ready(
        (2, 2, n_out), rows, [[0.2, -0.1], np.ones(n_out)], loss=loss, activation=activation
    )
    equation = explain.equation(net)
    numbers = net.is_regression
    found = equation.sympy() if numbers else equation.sympy(probabilities=True)
    assert list(found) == [str(c) for c in (equation.outputs if numbers else net.classes)]
    assert list(equation.sympy()) == list(equation.outputs)
    X = np.array([[0.5, -1.25], [-2, 0.75]], np.float32)
    for row, expected in zip(X.tolist(), equation.evaluate(X), strict=True):
        at = {sympy.Symbol(f"x{i}", real=True): v for i, v in enumerate(row)}
        close([float(e.subs(at)) for e in found.values()], expected)


def test_the_text_can_be_computed():
    """The text is arithmetic but for the sign of products."""
    for seed in range(60):
        net, X = random_network(seed, activation="relu", loss="squared_error")
        equation = explain.equation(net)
        for row, expected in zip(X[:5].tolist(), equation.evaluate(X[:5]), strict=True):
            space = {f"x{i}": v for i, v in enumerate(row)} | {"relu": lambda z: max(z, 0.0)}
            for line in equation.text.split("\n"):
                exec(line.replace("·", "*"), space)
            close([space[name] for name in equation.outputs], expected)


# --- simplification


def test_a_hinge_shows_its_threshold_and_scales_are_folded_in():
    net = ready((1, 2, 1), [[[2], [-4]], [[3, -1]]], [[-1, 1], [5]], loss="squared_error")
    assert explain.equation(net).text == "y = 6·relu(x0 - 0.5) - 4·relu(-x0 + 0.25) + 5"
    scaled = ready(
        (1, 1), [[[3]]], [[1]], loss="squared_error", scaling=(np.array([2.0]), np.array([0.5]))
    )
    assert explain.equation(scaled).text == "y = 1.5·x0 - 2"  # 3 (x - 2) / 2 + 1


def test_units_of_y_are_folded_in():
    X = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    net = sn.SparseMLP((1, 1), loss="squared_error", input_scaling="standard", seed=0)
    net.fit(X, 1000.0 + 50.0 * X[:, 0], training=sn.Training(200, optimizer=sn.SGD(0.1)))
    found = explain.equation(net, X, digits=3)
    assert found.text == "y = 50·x0 + 1000"
    assert found.difference < 0.1


def test_a_neuron_of_several_inputs_that_is_used_once_has_no_coefficient():
    net = ready((2, 1, 1), [[[2, -1]], [[-3]]], [[1], [0]], loss="squared_error")
    assert explain.equation(net).text == "y = -relu(6·x0 - 3·x1 + 3)"


def test_a_neuron_that_is_used_twice_has_a_line_of_its_own():
    net = ready((2, 1, 2), [[[2, -1]], [[-3], [1]]], [[1], [0, 0.5]])
    equation = explain.equation(net)
    assert equation.text.split("\n") == [
        "h1 = relu(2·x0 - x1 + 1)",
        "logit(0) = -3·h1",
        "logit(1) = h1 + 0.5",
        "P = softmax(logit)",
    ]
    assert r"h_{1} &= \operatorname{relu}\left(2\,x_{0} - x_{1} + 1\right)" in equation.latex


def test_neurons_that_never_switch_are_replaced_and_the_result_says_so():
    net = ready(
        (2, 3, 1), [[[1, 0], [0, 1], [1, 1]], [[1, 1, 1]]], [[0, -9, -1], [0]], loss="squared_error"
    )
    whole = explain.equation(net)
    assert whole.text == "y = relu(x0) + relu(x1 - 9) + relu(x0 + x1 - 1)"
    assert (whole.assumes, {s.state for s in whole.states}) == ("anything", {"unknown"})
    boxed = explain.equation(net, bounds={"x0": (0, 1), 1: (0, 5)})
    assert boxed.text == "y = x0 + relu(x0 + x1 - 1)"
    assert [s.state for s in boxed.states] == ["on", "off", "switches"]
    assert "It holds within the bounds, where 1 of 3 neurons are always on, and 1" in repr(boxed)
    (switches,) = (s for s in boxed.states if s.state == "switches")
    assert switches.condition == "x0 + x1 > 1"
    assert switches.on == {"x1": (1.0, 5.0)}
    assert switches.off == {}
    X = np.array([[0.5, 3], [0.25, 2]], np.float32)
    rows = explain.equation(net, X)
    assert rows.text == "y = 2·x0 + x1 - 1"
    assert (rows.assumes, rows.n_rows, rows.difference) == ("rows", 2, 0.0)
    assert [s.share_on for s in rows.states] == [1.0, 0.0, 1.0]
    assert rows.groups == (("x0",), ("x1",))


def test_leaky_neurons_that_are_off_keep_their_slope():
    net = ready(
        (1, 1, 1), [[[2]], [[1]]], [[0], [0]], loss="squared_error", activation="leaky_relu"
    )
    assert explain.equation(net, bounds=(-3, -1)).text == "y = 0.02·x0"


def test_states_of_deep_networks_follow_from_those_below():
    net = ready((1, 1, 1, 1), [[[1]], [[1]], [[1]]], [[0], [-2], [0]], loss="squared_error")
    assert explain.equation(net).text == "y = relu(relu(x0) - 2)"
    assert explain.equation(net, bounds=(1, 5)).text == "y = relu(x0 - 2)"
    assert explain.equation(net, bounds=(3, 5)).text == "y = x0 - 2"
    assert explain.equation(net, bounds=(1, 2)).text == "y = 0"
    assert [s.condition for s in explain.equation(net).states] == ["x0 > 0", None]


def test_sure_intervals_are_sure():
    for seed in range(40):
        net, X = random_network(seed, activation="relu")
        low, high = X.min(axis=0), X.max(axis=0)
        for bounds in (None, (low, high)):
            equation = explain.equation(net, X, bounds=bounds)
            program = Program.of(net)
            sums = np.concatenate([z for z, _ in program.forward(X)[:-1]] or [X[:, :0]], axis=1)
            for state in equation.states:
                z = sums[:, int(state.name[1:]) - 1]
                assert state.share_on == pytest.approx(np.mean(z > 0), abs=0.03)
                for expected, found in ((True, state.on), (False, state.off)):
                    for name, (a, b) in found.items():
                        x = X[:, int(name[1:])]
                        inside = (x > a + 1e-5) & (x < b - 1e-5)
                        assert ((z > 0) == expected)[inside].all()


def test_no_synapse_leaves_a_constant():
    net = ready((2, 1), [[[0, 0]]], [[2.5]], loss="squared_error")
    equation = explain.equation(net, XOR)
    assert (equation.text, equation.inputs, equation.groups) == ("y = 2.5", (), ())
    assert called(equation, XOR).tolist() == [[2.5]] * 4


# --- digits


def test_digits_are_rounded_only_when_asked_and_cost_what_is_said():
    net, X = random_network(3, activation="relu", loss="softmax")
    exact, rounded = explain.equation(net), explain.equation(net, X, digits=2)
    told = re.findall(r"[0-9.]{5,}", rounded.text)
    assert not told
    assert re.findall(r"[0-9.]{8,}", exact.text)
    difference = np.abs(rounded.evaluate(X) - net.predict_proba(X)).max()
    assert rounded.difference == difference > 1e-4
    assert "Numbers are rounded to 2 digits. On the 40 rows, probabilities differ" in repr(rounded)
    assert "the difference that this makes is not known" in repr(explain.equation(net, digits=2))
    classes = net.classes[rounded.evaluate(X).argmax(axis=1)]
    assert rounded.n_changed == np.count_nonzero(classes != net.predict(X))


# --- names

HOSTILE = (
    "a b", "a_b", "lambda", "h1", "y", "x0", "*/ \\end{aligned}", '"""\nimport os', "größe", "→",
    "%$#&^~{}", "</script>", "math", "1st", "E", "P", "it's", "",
)  # fmt: skip


def test_hostile_names_survive():
    n = len(HOSTILE)
    net = ready((n, 2, 1), [np.eye(2, n) + 1, [[1, 1]]], [[0, 0], [0]], loss="squared_error")
    net.input_names = HOSTILE
    X = np.random.default_rng(0).normal(size=(5, n)).astype(np.float32)
    equation = explain.equation(net)
    close(called(equation, X), equation.evaluate(X))
    names = [i.identifier for i in equation.inputs]
    assert len(set(names)) == n
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert [i.name for i in equation.inputs] == list(HOSTILE)
    assert len(equation.text.split("\n")) == 1
    for name in ("'h1'", "'y'", '"it\'s"', "x0"):
        assert name in equation.text
    assert equation.latex.count(r"\end{aligned}") == 1
    assert r"\text{a}\_\text{b}" in equation.latex
    assert "\n" not in equation.latex[len(r"\begin{aligned} ") : -len("\n\\end{aligned}")]
    sympy = pytest.importorskip("sympy")
    assert len(equation.sympy()["y"].free_symbols) == n
    assert sympy.Symbol("lambda_", real=True) in equation.sympy()["y"].free_symbols


def test_identifiers_never_collide():
    names = ["a", "a ", "a_2", " a", "a_2_2", "A", "_a", "a" * 60, "a" * 61]
    found = identifiers(dict(enumerate(names)))
    assert len(set(found.values())) == len(names)
    assert found[0] == "a"
    assert found[2] == "a_2"


def test_latex_of_names_balances():
    for name in HOSTILE:
        text = re.sub(r"\\[\\{}$&#%_]", "", latex_name(name))
        depth = 0
        for c in text:
            depth += (c == "{") - (c == "}")
            assert depth >= 0
        assert depth == 0


def test_hostile_labels_stay_labels():
    X = np.arange(6, dtype=np.float32)[:, None]
    labels = ["a", '"""', "b\n", "a", '"""', "b\n"]
    net = sn.SparseMLP((1, 3), seed=0).fit(X, labels, training=sn.Training(2))
    equation = explain.equation(net)
    close(called(equation, X), equation.evaluate(X))
    assert [line.split(" = ")[0] for line in equation.text.split("\n")] == [
        "logit('\"\"\"')", "logit(a)", "logit('b\\n')", "P",
    ]  # fmt: skip


# --- tables


def test_inputs_of_tables_say_what_they_are_made_of():
    rows = [[str(i % 7), ("red", "green", "")[i % 3], ("a", "b")[i % 7 > 3]] for i in range(210)]
    table = sn.Table.from_rows(rows, ["size", "colour", "fruit"])
    encoder = sn.TableEncoder.fit(table.without(["fruit"]))
    net = sn.SparseMLP((len(encoder.input_names), 1), seed=0)
    net.fit(encoder.transform(table), table.columns["fruit"], training=sn.Training(20))
    net.encoder = encoder
    equation = explain.equation(net, table, digits=3)
    assert [(i.name, i.identifier) for i in equation.inputs] == [
        ("size", "size"), ("colour=green", "colour_green"), ("colour=missing", "colour_missing"),
        ("colour=red", "colour_red"),
    ]  # fmt: skip
    assert equation.inputs[1].meaning == "1 where 'colour' is 'green', else 0"
    assert "'colour=green': 1 where 'colour' is 'green', else 0" in repr(equation)
    assert equation.text.startswith("P(b) = sigmoid(")
    assert equation.difference < 0.01
    close(called(equation, net.as_inputs(table)), equation.evaluate(net.as_inputs(table)))


def test_meanings_are_one_for_each_input_and_true():
    days = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(60)]
    rows = [
        [str(1e9 + i), "" if i % 9 == 0 else str(i), d, "abc"[i % 3]] for i, d in enumerate(days)
    ]
    table = sn.Table.from_rows(rows, ["far", "gaps", "day", "word"])
    encoder = sn.TableEncoder.fit(table)
    assert len(encoder.meanings) == len(encoder.input_names)
    told = dict(zip(encoder.input_names, encoder.meanings, strict=True))
    assert told["far"].endswith(", less 1000000029.5")
    assert told["gaps is missing"] == "1 where the number in 'gaps' is missing, else 0"
    assert told["day: month"].startswith("the month of 'day', January being 1, less ")
    (i,) = (i for i, name in enumerate(encoder.input_names) if name == "day: month")
    less = float(told["day: month"].split(" less ")[1].split(",")[0])
    np.testing.assert_allclose(
        encoder.transform(table)[:, i], [int(d[5:7]) - less for d in days], atol=1e-6
    )


# --- what must be shown


def test_the_equation_of_xor_is_one_line():
    for seed in range(20):
        net = sn.SparseMLP((2, 2, 1), init_scale=1.0, seed=seed)
        net.fit(XOR, [0, 1, 1, 0], training=sn.Training(1000, batch_size=4, optimizer=sn.SGD(1.0)))
        if net.score(XOR, [0, 1, 1, 0]) == 1.0:
            break
    equation = explain.equation(net)
    assert re.fullmatch(r"P\(1\) = sigmoid\([^\n]*relu\([^\n]*relu\([^\n]*\)", equation.text)
    assert np.abs(equation.evaluate(XOR) - net.predict_proba(XOR)).max() < 1e-6
    assert np.abs(called(equation, XOR) - net.predict_proba(XOR)).max() < 1e-6
    assert equation._repr_latex_().startswith(r"$\displaystyle \begin{aligned}")


@pytest.mark.long
def test_the_examples_of_the_docs_print_what_they_show(capsys):
    page = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL)
    space = {}
    for code, _ in blocks:
        exec(code, space)
    assert capsys.readouterr().out == "".join(shown for _, shown in blocks)
    assert len(blocks) == 2


# --- bad input


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"digits": 0}, ValueError, "digits must be from 1 to 17, got 0"),
        ({"digits": 2.5}, TypeError, "digits must be an int"),
        ({"bounds": 3}, TypeError, r"bounds must be a mapping, or a pair \(low, high\), got 3"),
        ({"bounds": (0, [1, 2, 3])}, ValueError, "bounds must hold numbers, or 2 of them each"),
        ({"bounds": (0, "a")}, ValueError, "bounds must hold numbers"),
        ({"bounds": (2, 1)}, ValueError, r"got \(2, 1\) for 'x0'"),
        ({"bounds": (math.nan, 1)}, ValueError, "got NaN"),
        ({"bounds": {"z": (0, 1)}}, ValueError, "z"),
        ({"bounds": {0: (0, 1), "x0": (0, 1)}}, ValueError, "bounds must name each input once"),
        ({"bounds": {0: 1}}, TypeError, "bounds must be a mapping, or a pair"),
        ({"X": XOR, "bounds": (0, 0.5)}, ValueError, "X must be within the bounds, got 1 for 'x1'"),
        ({"X": XOR[:, :1]}, ValueError, "X must have 2 columns"),
    ],
)
def test_bad_arguments_are_refused(options, error, message):
    net = ready((2, 2, 1), [np.eye(2), [[1, 1]]], [[0, 0], [0]])
    with pytest.raises(error, match=message):
        explain.equation(net, **options)


def test_what_does_not_apply_is_refused():
    smooth = ready((2, 2, 1), [np.eye(2), [[1, 1]]], [[0, 0], [0]], activation="tanh")
    with pytest.raises(ValueError, match=r"bounds must be left out.*tanh"):
        explain.equation(smooth, bounds=(0, 1))
    with pytest.raises(TypeError, match="net must be a SparseMLP"):
        explain.equation("net")
    with pytest.raises(ValueError, match="never fitted"):
        explain.equation(sn.SparseMLP((2, 1)))
    number = ready((2, 1), [[[1, 1]]], [[0]], loss="squared_error")
    with pytest.raises(ValueError, match="probabilities must be False"):
        pytest.importorskip("sympy") and explain.equation(number).sympy(probabilities=True)
    for name in ("1a", "for", "a b", "é", "_relu", "max", "math", ""):
        with pytest.raises(ValueError, match="name must be an identifier"):
            explain.equation(number).python(name)
    with pytest.raises(TypeError, match="name must be a string"):
        explain.equation(number).python(3)


def test_bounds_of_float32_rows_hold_for_them():
    """This used to refuse the row 0.1, which is above 0.1 in float32."""
    net = ready((1, 1, 1), [[[1]], [[1]]], [[0], [0]], loss="squared_error")
    X = np.array([[0.1]], np.float32)
    assert explain.equation(net, X, bounds=(0.1, 0.1)).text == "y = x0"


def test_expressions_that_would_explode_are_refused():
    pytest.importorskip("sympy")
    sizes = (3, *[4] * 9, 1)
    net = sn.SparseMLP(sizes, init_scale=1.0, seed=0, activation="tanh")
    net.fit(np.eye(3), [0, 1, 0], training=sn.Training(1))
    equation = explain.equation(net)
    assert len(equation.text.split("\n")) == 33
    with pytest.raises(ValueError, match="the expressions would have"):
        equation.sympy()
