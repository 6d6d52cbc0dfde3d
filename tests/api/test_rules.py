"""Truth tables, formulas and short rules."""

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune import explain
from synaprune.explain._boolean import formula, minimal_terms

NAMES = ["a", "b", "c", "d"]


def value(text, k, names):
    """Evaluate a formula for the bits of k."""
    if text in ("always", "never"):
        return text == "always"
    bits = {name: bool(k >> i & 1) for i, name in enumerate(names)}
    return bool(eval(text.replace("xor", "^"), {"__builtins__": {}}, bits))


@given(st.integers(0, 4).flatmap(lambda n: st.lists(st.booleans(), min_size=2**n, max_size=2**n)))
def test_formulas_say_what_the_table_says(bits):
    table = np.array(bits)
    text = formula(table, NAMES)
    assert [value(text, k, NAMES) for k in range(len(bits))] == bits


@given(st.lists(st.booleans(), min_size=16, max_size=16))
def test_no_term_can_be_shorter_or_left_out(bits):
    table = np.array(bits)
    terms = minimal_terms(table)

    def entries(care, wanted):
        return {k for k in range(16) if k & care == wanted}

    true = set(np.flatnonzero(table).tolist())
    covered = [entries(*term) for term in terms]
    assert set().union(*covered) == true
    for care, wanted in terms:
        for bit in (1, 2, 4, 8):
            if care & bit:
                assert not entries(care ^ bit, wanted & ~bit) <= true


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ([0, 0], "never"),
        ([1, 1, 1, 1], "always"),
        ([0, 1, 1, 0], "a xor b"),
        ([1, 0, 0, 1], "not (a xor b)"),
        ([0, 0, 0, 1], "a and b"),
        ([0, 1, 1, 1], "a or b"),
        ([0, 1, 0, 1], "a"),
        ([1, 1, 0, 0], "not b"),
        ([0, 0, 0, 1, 0, 1, 1, 1], "(a and b) or (a and c) or (b and c)"),
        ([0, 1, 1, 0, 1, 0, 0, 1], "a xor b xor c"),
    ],
)
def test_known_tables(bits, text):
    assert formula(np.array(bits, bool), NAMES) == text


def test_xor_networks_say_xor():
    data = sn.datasets.xor()
    net = sn.SparseMLP((2, 8, 1), activation="sigmoid", init_scale=1.0, seed=1)
    net.fit(*data.train, training=sn.Training(3000, batch_size=4, optimizer=sn.SGD(lr=1.0)))
    assert net.score(*data.test) == 1.0
    rules = explain.truth_tables(net)
    assert str(rules[-1]) == "class 1: x0 xor x1"
    assert str(rules[-2]) == "class 0: not (x0 xor x1)"
    assert len(rules) == 8 + 2
    assert all(rule.table.shape == (4,) for rule in rules)


def test_tables_are_of_the_inputs_that_are_used_and_by_name():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (300, 30)).astype(np.float32) * 2 - 1
    y = np.where((X[:, 4] > 0) & (X[:, 9] < 0), "yes", "no")
    net = sn.SparseMLP((30, 6, 1), seed=0).fit(X, y, training=sn.Training(50, batch_size=16))
    net.input_names = tuple(f"switch{i}" for i in range(30))
    with pytest.raises(
        ValueError, match="at most 10 inputs for a truth table, it uses 30; class_rules"
    ):
        explain.truth_tables(net)
    small = net.without(inputs=[i for i in range(30) if i not in (4, 9)])
    rules = explain.truth_tables(small, low=-1.0)
    assert rules[-1].inputs == (4, 9)
    assert str(rules[-1]) == "class 'yes': switch4 and not switch9"


def test_a_network_of_nothing_says_always():
    net = sn.SparseMLP((3, 2), seed=0).fit(
        np.eye(3, dtype=np.float32), [0, 1, 1], training=sn.Training(20)
    )
    texts = [rule.text for rule in explain.truth_tables(net.without(inputs=[0, 1, 2]))]
    assert sorted(texts) == ["always", "never"]


def test_short_rules_say_how_often_they_agree():
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (900, 5)).astype(np.float32)
    y = (X[:, 1] > 0.2) & (X[:, 3] <= 0)
    net = sn.SparseMLP((5, 10, 1), seed=0).fit(X, y, training=sn.Training(100, batch_size=16))
    net = net.without(inputs=[0, 2, 4])
    rules = explain.class_rules(net, X, max_leaf_nodes=4)
    assert rules.sufficient
    assert rules.fidelity > 0.9
    (yes,) = rules.rules[True]
    assert yes.startswith("(x1 > 0.")
    assert "x3 ≤" in yes
    assert "agree with the network on" in str(rules)
    hard = explain.class_rules(net, X, max_leaf_nodes=2)
    assert not hard.sufficient
    assert str(hard).startswith("No rules of this size describe the network")
    assert hard.fidelity < 0.9


def test_thresholds_have_the_digits_that_they_need():
    """12345 and 12346 used to be parted by "1.234e+04"."""
    X = np.zeros((400, 1), np.float32)
    X[:, 0] = 12340 + np.arange(400) % 12
    y = X[:, 0] > 12345
    net = sn.SparseMLP((1, 4, 1), input_scaling="standard", seed=0, init_scale=1.0)
    net.fit(X, y, training=sn.Training(300, batch_size=16, optimizer=sn.SGD(0.5)))
    rules = explain.class_rules(net, X, max_leaf_nodes=2)
    for label, (text,) in rules.rules.items():
        sign, threshold = text.split()[1:]
        said = X[:, 0] > float(threshold) if sign == ">" else X[:, 0] <= float(threshold)
        assert ((net.predict(X) == label) == said).mean() == pytest.approx(rules.fidelity, abs=0.01)


def test_wrong_arguments_are_named():
    net = sn.SparseMLP((3, 2), seed=0)
    with pytest.raises(ValueError, match="never fitted"):
        explain.truth_tables(net)
    net.fit(np.eye(3, dtype=np.float32), [0, 1, 1])
    with pytest.raises(ValueError, match="at least 10 rows"):
        explain.class_rules(net, np.eye(3))
    with pytest.raises(ValueError, match="max_leaf_nodes must be"):
        explain.class_rules(net, np.zeros((20, 3)), max_leaf_nodes=1)
    with pytest.raises(ValueError, match=r"^low and high must differ, got 1\.0 for both"):
        explain.truth_tables(net, low=1.0)
