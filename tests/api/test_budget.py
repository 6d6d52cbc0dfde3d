"""`InputBudget`: groups of inputs that go together, and what inputs cost."""

import json
import pickle
import re

import numpy as np
import pytest
import synaprune as sn
from synaprune.job import Architecture, Job
from synaprune.pruning import Goal
from synaprune.pruning.units import Amounts, InputUnits

GROUPS = ["a", "b", "a", "c", "b", "a"]
COSTS = [1.0, 5.0, 1.0, 2.0, 5.0, 1.0]
STILL = sn.Training(2, optimizer=sn.SGD(1e-9))


@pytest.fixture(scope="module")
def data():
    X = np.random.default_rng(0).normal(size=(200, 6))
    return X, X[:, 0] + X[:, 3] > 0


@pytest.fixture(scope="module")
def net(data):
    return sn.SparseMLP((6, 8, 1), init_scale=0.5, seed=0).fit(*data, training=sn.Training(60))


def living(net):
    """Return the labels of which some input is used, and of which all are."""
    used = set(net.used_inputs.tolist())
    inputs = {label: {i for i in range(6) if GROUPS[i] == label} for label in GROUPS}
    return (
        {label for label, of in inputs.items() if of & used},
        {label for label, of in inputs.items() if of <= used},
    )


# ---- what goes


def naive_excess(net, scores, groups, costs, n, cost):
    """Remove the group of the lowest score until the limits are met, by the definitions."""
    first = net.weights[0]
    held = {groups[i] for i in first.indices[net.frozen_synapses[0]].tolist()}
    left = {groups[i] for i in first.indices.tolist()}
    price = dict(zip(groups, costs, strict=True))

    def value(label):
        inputs = [i for i in range(len(groups)) if groups[i] == label]
        of_first = scores[: len(first.indices)].astype(float)
        sums = [of_first[first.indices == i].sum() for i in inputs]
        square = sum(s * abs(s) for s in sums) / len(sums)
        root = np.sign(square) * abs(square) ** 0.5
        beside = sum(price[other] for other in held)
        dear = price[label] + beside > cost * (1 + 1e-9)
        return (not dear, root / price[label] if root > 0 else root * price[label])

    gone = []
    movable = sorted(left - held, key=value)
    while movable and (len(left) > n or sum(price[g] for g in left) > cost * (1 + 1e-9)):
        left.remove(movable[0])
        gone.append(movable.pop(0))
    return gone


@pytest.mark.parametrize("seed", range(30))
def test_what_goes_is_what_a_naive_reference_says(seed):
    rng = np.random.default_rng(seed)
    net = sn.SparseMLP((12, 5, 2), seed=seed).without(inputs=rng.choice(12, 2, replace=False))
    if seed % 3 == 0:
        net = net.with_frozen(inputs=[int(net.used_inputs[0])])
    # Numbers as they first occur are the labels that InputBudget gives.
    groups = list(range(12)) if seed % 2 else [0, 1, 1, 2, 3, 3, 3, 4, 0, 5, 6, 6]
    prices = rng.uniform(0.5, 3.0, 12)
    costs = [float(prices[g]) for g in groups] if seed % 5 else None
    scores = rng.normal(0.5, 1.0, net.n_synapses).astype(np.float32)
    n, cost = int(rng.integers(1, 6)), float(rng.uniform(3.0, 8.0)) if costs else None
    budget = sn.InputBudget(n, cost, groups if seed % 2 == 0 else None, costs)
    units = InputUnits(budget, 12)
    gone = units.excess(net, scores, units.limits)
    limit = np.inf if cost is None else cost
    assert gone.tolist() == naive_excess(net, scores, groups, costs or [1.0] * 12, n, limit)


def test_no_group_is_ever_partly_there(data, net):
    path = sn.prune(
        net, *data, validation=data, n_inputs=sn.InputBudget(1, groups=GROUPS),
        training=sn.Training(12),
    )  # fmt: skip
    for step in range(len(path)):
        some, whole = living(path.network(step))
        assert some == whole
    assert len(some) == 1
    assert path.stop_reason == "reached 1 groups (target 1)"


def test_a_large_group_does_not_stay_for_its_size(data, net):
    """Of sums, that of three inputs that count a little would be above that of one that counts."""
    path = sn.prune(
        net, *data, validation=data, criterion="magnitude", training=STILL,
        n_inputs=sn.InputBudget(1, groups=[0, 1, 1, 2, 1, 1]),
    )  # fmt: skip
    sums = np.bincount(net.weights[0].indices, sn.saliency(net, "magnitude")[0])
    assert sums[[1, 2, 4, 5]].sum() > max(sums[0], sums[3])
    assert path.smallest.used_inputs.tolist() == [0 if sums[0] > sums[3] else 3]


def test_of_equal_inputs_the_cheap_one_stays(data):
    X, y = data
    twins = np.column_stack([X, X[:, 0]])
    net = sn.SparseMLP((7, 8, 1), init_scale=0.5, seed=0)
    net.fit(twins, y, training=sn.Training(60))
    for costs in ([3, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 3]):
        path = sn.prune(
            net, twins, y, validation=(twins, y), criterion="magnitude", training=sn.Training(30),
            n_inputs=sn.InputBudget(2, costs=costs),
        )  # fmt: skip
        assert path.smallest.used_inputs.tolist() == ([3, 6] if costs[0] == 3 else [0, 3])


def test_a_cost_is_kept_and_what_is_too_dear_goes_first(data, net):
    path = sn.prune(
        net, *data, validation=data, training=sn.Training(12),
        n_inputs=sn.InputBudget(cost=3.0, costs=[9.0, 1.0, 1.0, 9.0, 1.0, 1.0]),
    )  # fmt: skip
    assert 0 < path.smallest.n_used_inputs <= 3
    assert not {0, 3} & set(path.smallest.used_inputs.tolist())
    cost = path.smallest.n_used_inputs
    assert path.stop_reason == f"reached a cost of {cost} (target 3)"


def test_sums_of_costs_may_be_rounded(data, net):
    """0.1 + 0.1 + 0.1 is above 0.3."""
    budget = sn.InputBudget(cost=0.3, costs=[0.1] * 6)
    path = sn.prune(net, *data, validation=data, n_inputs=budget, training=sn.Training(4))
    assert path.smallest.n_used_inputs == 3


def test_the_cost_of_a_group_counts_once(data, net):
    budget = sn.InputBudget(cost=6.0, groups=GROUPS, costs=COSTS)
    assert InputUnits(budget, 6).amounts(net) == (3, 8.0)
    path = sn.prune(net, *data, validation=data, n_inputs=budget, training=sn.Training(12))
    some, whole = living(path.smallest)
    assert some == whole
    assert some in ({"a", "c"}, {"a", "b"})


def test_frozen_groups_stay(data, net):
    held = net.with_frozen(inputs=[1])
    path = sn.prune(
        held, *data, validation=data, n_inputs=sn.InputBudget(1, groups=GROUPS),
        training=sn.Training(4),
    )  # fmt: skip
    assert living(path.smallest)[0] == {"b"}


def test_a_number_and_a_budget_of_it_are_the_same(data, net, bits):
    paths = [
        sn.prune(net, *data, validation=data, n_inputs=n, training=sn.Training(6))
        for n in (3, sn.InputBudget(3), sn.InputBudget(3, groups=range(6), costs=[2] * 6))
    ]
    assert all(bits(path.smallest) == bits(paths[0].smallest) for path in paths)
    assert Goal(n_inputs=sn.InputBudget(3)).record()["n_inputs"] == 3


@pytest.mark.parametrize("budget", [0, 1])
def test_groups_may_stand_beside_a_contract(data, net, budget):
    least = net.score(*data) - 0.1
    path = sn.prune(
        net, *data, validation=data, n_inputs=sn.InputBudget(2, groups=GROUPS), max_drop=0.1,
        strategy=sn.Iterative(20, search_budget=budget),
    )  # fmt: skip
    assert len(living(path.smallest)[0]) <= 2
    assert all(step.score >= least - 1e-9 for step in path)
    path = sn.prune(
        net, *data, validation=data, max_drop=0.0, strategy=sn.Iterative(3, search_budget=budget),
        n_inputs=sn.InputBudget(1, 2.0, GROUPS, COSTS),
    )  # fmt: skip
    assert "1 groups are not reached, 2 are left and a cost of 2 is not" in path.stop_reason


def test_regrowth_keeps_the_budget(data, net):
    path = sn.prune(
        net, *data, validation=data, n_synapses=20, n_inputs=sn.InputBudget(2, groups=GROUPS),
        strategy=sn.Gradual(regrow_budget=1.0), training=sn.Training(12),
    )  # fmt: skip
    assert path.smallest.n_synapses <= 20
    assert len(living(path.smallest)[0]) <= 2


# ---- what it is


def test_it_compares_pickles_and_stays_short():
    budget = sn.InputBudget(2, 3.0, GROUPS, np.array(COSTS, np.float32))
    assert budget == sn.InputBudget(2, 3, [5, 7, 5, 8, 7, 5], COSTS)
    assert hash(budget) == hash(pickle.loads(pickle.dumps(budget)))
    assert repr(budget).startswith("InputBudget(n=2, cost=3.0, groups=(0, 1, 0, 2, 1, 0), costs=(1")
    assert len(repr(sn.InputBudget(2, groups=range(9999)))) < 100
    assert str(Goal(n_inputs=sn.InputBudget(2))) == "n_inputs=InputBudget(n=2)"
    assert Amounts(3, 1.0).within(Amounts(3, np.inf))


def test_a_record_and_a_report_tell_of_it(data, tmp_path):
    budget = sn.InputBudget(2, 7.0, GROUPS, COSTS)
    X, y = data
    job = Job(Architecture((4,)), sn.Training(6), Goal(n_inputs=budget))
    options = json.loads(json.dumps(job.options()))
    assert options["n_inputs"] == {
        "n": 2, "cost": 7.0, "groups": [0, 1, 0, 2, 1, 0], "costs": COSTS,
    }  # fmt: skip
    path = sn.prune(
        sn.SparseMLP((6, 4, 1), seed=0), X, y, validation=data, n_inputs=budget,
        training=sn.Training(6),
    )  # fmt: skip
    path.options = options
    path.report(tmp_path / "page.html", validation=data)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(r'"contract":\s*{"n_groups":\s*2,\s*"input_cost":\s*7.0}', page)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, ValueError, "^InputBudget needs n or cost, got neither$"),
        ({"n": 0}, ValueError, "^n of InputBudget must be from 1"),
        ({"n": 2.0}, TypeError, "^n of InputBudget must be an int"),
        ({"cost": 3.0}, ValueError, "^cost of InputBudget needs costs, got cost=3.0 alone$"),
        ({"cost": 0.0, "costs": COSTS}, ValueError, "^cost of InputBudget must be finite"),
        ({"n": 1, "costs": [1, 0]}, ValueError, "^each of costs must be finite and in"),
        ({"n": 1, "costs": "ab"}, TypeError, "^costs must be a sequence"),
        ({"n": 1, "groups": np.array(3)}, TypeError, "^groups must be a sequence"),
        ({"n": 1, "groups": ["a", None]}, ValueError, "^groups must hold a label .*, got None$"),
        ({"n": 1, "groups": [1.0, np.nan]}, ValueError, "^groups must hold a label .*, got nan$"),
        ({"n": 1, "groups": np.eye(2)}, ValueError, "^groups must hold a label"),
        ({"n": 1, "groups": GROUPS, "costs": [1]}, ValueError, "^groups and costs must be equally"),
        ({"n": 1, "groups": [0, 0], "costs": [1, 2]}, ValueError,
         "^costs must be equal within a group, .* got 1 of input 0 and 2 of input 1$"),
    ],
)  # fmt: skip
def test_a_budget_that_does_not_fit_is_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        sn.InputBudget(**options)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (sn.InputBudget(4, groups=GROUPS), "^n of n_inputs must be from 1 to 3, got 4$"),
        (sn.InputBudget(1, groups=[0, 1]), "^groups must have an entry for each of the 6 inputs"),
        (sn.InputBudget(1, costs=[1.0]), "^costs must have an entry for each of the 6 inputs"),
        (sn.InputBudget(cost=0.5, costs=COSTS), "^cost of n_inputs must be at least 1, what the "),
        (sn.InputBudget(1, groups=range(6)), "^n of n_inputs must be at least 2, what is frozen"),
        (sn.InputBudget(cost=5.0, costs=COSTS), "^cost of n_inputs must be at least 6, what is f"),
    ],
)
def test_a_budget_that_the_network_cannot_meet_is_refused(budget, message, net, data):
    held = net.with_frozen(inputs=[0, 1]) if "frozen" in message or "is f" in message else net
    with pytest.raises(ValueError, match=message):
        sn.prune(held, *data, validation=data, n_inputs=budget)


def test_a_list_given_is_not_changed_or_followed():
    groups, costs = [0, 0, 1], [1.0, 1.0, 2.0]
    budget = sn.InputBudget(1, groups=groups, costs=costs)
    groups[0], costs[0] = 1, 9.0
    assert budget.groups == (0, 0, 1)
    assert budget.costs == (1.0, 1.0, 2.0)


# ---- what a network uses of it


def units_of(*args, **fields):
    return InputUnits(sn.InputBudget(*args, **fields), 6)


@pytest.fixture(scope="module")
def partly(net):
    """A network without inputs 1 and 4, so that it uses only "a" and "c"."""
    return net.without(inputs=[1, 4])


def test_what_is_used_is_counted_and_told(net, partly):
    by_number, by_cost = units_of(4), units_of(cost=9.5, costs=[1, 5, 1, 2, 5, 1])
    both = units_of(1, 2.5, GROUPS, COSTS)
    assert by_number.amounts(partly) == (4, 4.0)
    assert by_cost.amounts(partly) == (4, 5.0)
    assert both.amounts(partly) == (2, 3.0)
    assert both.amounts(net) == (3, 8.0)
    assert by_number.living(partly).tolist() == [True, False, True, True, False, True]
    one_left = net.without(inputs=[0, 1, 2, 3])
    assert both.living(one_left).tolist() == [True, True, True, False, True, True]
    assert by_number.told(partly) == "4 inputs (target 4)"
    assert by_cost.told(partly) == "a cost of 5 (target 9.5)"
    assert both.told(partly) == "2 groups (target 1) and a cost of 3 (target 2.5)"
    assert by_number.missed(net) == "4 inputs are not reached, 6 are left"
    assert by_cost.missed(net) == "a cost of 9.5 is not reached, 15 is left"
    assert both.missed(net) == (
        "1 groups are not reached, 3 are left and a cost of 2.5 is not reached, 8 is left"
    )
    assert by_number.missed(partly) == by_cost.missed(partly) == ""


def test_an_overrun_is_a_share_of_each_limit_and_0_within_both(net, partly):
    assert units_of(4).overrun(net) == pytest.approx(6 / 4 - 1)
    assert units_of(4).overrun(partly) == 0.0
    assert units_of(1, 2.5, GROUPS, COSTS).overrun(net) == pytest.approx(3 - 1 + 8 / 2.5 - 1)
    assert units_of(2, 2.5, GROUPS, COSTS).overrun(partly) == pytest.approx(3 / 2.5 - 1)
    assert units_of(2, 3.0, GROUPS, COSTS).overrun(partly) == 0.0
    assert units_of(1).overrun(partly, Amounts(2, np.inf)) == pytest.approx(1.0)
    assert units_of(1).overrun(partly, Amounts(4, 4.0)) == 0.0


def test_units_that_go_take_their_synapses(net):
    units = units_of(1, groups=GROUPS)
    keep = units.without(net, np.array([0, 2]))  # "a" and "c"
    gone = np.isin(net.weights[0].indices, [0, 2, 3, 5])
    assert keep.dtype == np.uint8
    assert keep.tolist() == [*(~gone).astype(int).tolist(), *[1] * net.weights[1].values.size]


@pytest.mark.parametrize(
    ("budget", "frozen", "message"),
    [
        (sn.InputBudget(6), [], None),
        (sn.InputBudget(7), [], "^n_inputs must be from 1 to 6, got 7$"),
        (sn.InputBudget(2), [0, 1], None),
        (sn.InputBudget(1), [0, 1],
         "^n_inputs must be at least 2, what is frozen, got 1; see with_nothing_frozen$"),
        (sn.InputBudget(1, groups=GROUPS), [0, 2], None),
        (sn.InputBudget(cost=1.0, costs=COSTS), [], None),
        (sn.InputBudget(cost=0.9, costs=COSTS), [],
         "^cost of n_inputs must be at least 1, what the cheapest of the inputs costs, got 0.9$"),
        (sn.InputBudget(cost=0.9, groups=GROUPS, costs=COSTS), [], "the cheapest of the groups"),
        (sn.InputBudget(cost=6.0, costs=COSTS), [0, 1], None),
        (sn.InputBudget(cost=5.9, costs=COSTS), [0, 1], "^cost of n_inputs must be at least 6, wh"),
        (sn.InputBudget(9, 9.0, GROUPS, COSTS), [], "^n of n_inputs must be from 1 to 3, got 9$"),
    ],
)  # fmt: skip
def test_what_a_network_can_be_pruned_to(budget, frozen, message, net):
    held = net.with_frozen(inputs=frozen) if frozen else net
    units = InputUnits(budget, 6)
    if message is None:
        units.check_for(held)
    else:
        with pytest.raises(ValueError, match=message):
            units.check_for(held)


def test_a_budget_records_what_is_given():
    assert sn.InputBudget(3).record() == 3
    assert sn.InputBudget(3, groups=["a", "b", "a"]).record() == {
        "n": 3, "cost": None, "groups": [0, 1, 0], "costs": None,
    }  # fmt: skip
    assert sn.InputBudget(cost=2, costs=(1, 2)).record() == {
        "n": None, "cost": 2.0, "groups": None, "costs": [1.0, 2.0],
    }  # fmt: skip
    assert repr(sn.InputBudget(cost=2, costs=[1])) == "InputBudget(cost=2.0, costs=(1.0,))"
    assert sn.InputBudget(1, groups={"b": 1, "a": 1}.keys()).groups == (0, 1)
    for wrong in ({"a": 1}, 3, "ab"):
        with pytest.raises(
            TypeError, match=r"^groups must be a sequence, one entry an input, got "
        ):
            sn.InputBudget(1, groups=wrong)
