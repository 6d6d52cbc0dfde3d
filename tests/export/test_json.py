"""Networks as JSON: read back they are equal, and the text alone says what they say."""

import json
from importlib.resources import files

import numpy as np
import pytest
import synaprune as sn
from export.networks import given, random_network
from export.texts import HOSTILE, hostile_network, odd_table
from synaprune.export import json as module
from synaprune.io import ModelFileError
from synaprune.layers import CSR

SCHEMA = json.loads((files("synaprune.export") / "network.schema.json").read_text())

ACTIVATIONS = {
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: z if z > 0.0 else 0.01 * z,
    "tanh": np.tanh,
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "silu": lambda z: z / (1.0 + np.exp(-z)),
}


def computed(text, row):
    """What a text says of a row, by what the schema says and nothing else."""
    net = json.loads(text)
    pairs = zip(row, net["shift"], net["scale"], strict=True)
    h = [(x - shift) * scale for x, shift, scale in pairs]
    for number, layer in enumerate(net["layers"], 1):
        ends = zip(layer["indptr"], layer["indptr"][1:], layer["bias"], strict=False)
        z = [
            b + sum(layer["values"][k] * h[layer["indices"][k]] for k in range(first, last))
            for first, last, b in ends
        ]
        h = z if number == len(net["layers"]) else [ACTIVATIONS[net["activation"]](v) for v in z]
    if net["targets"]:
        return np.array(h) * net["targets"]["scale"] + net["targets"]["mean"]
    if net["loss"] == "softmax":
        p = np.exp(np.array(h) - max(h))
        return p / p.sum()
    p = 1.0 / (1.0 + np.exp(-np.array(h)))
    return np.array([1.0 - p[0], p[0]]) if len(p) == 1 else p / p.sum()


def prepared(net, y):
    """A network that knows its targets and has not learned them."""
    net.prepare(np.eye(net.n_features), y)
    return net


def assert_equal(again, net):
    assert again.layers == net.layers
    assert (again.activation, again.loss) == (net.activation, net.loss)
    assert again.input_names == net.input_names
    for a, b in zip(again.weights, net.weights, strict=True):
        for name in CSR:
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_random_networks_and_back():
    for seed in range(100):
        net, X = random_network(seed)
        text = net.to_json()
        assert text.isascii()
        again = sn.SparseMLP.from_json(text)
        assert_equal(again, net)
        assert np.array_equal(given(again, X), given(net, X))
        assert again.predict(X).dtype == net.predict(X).dtype
        assert again.to_json() == text
        for row, expected in zip(X[:3].tolist(), given(net, X[:3]), strict=True):
            size = max(1.0, float(np.abs(expected).max()))
            assert np.abs(computed(text, row) - expected).max() <= 1e-5 * size


def test_weights_at_initialisation_are_part_of_it():
    data = sn.datasets.digits()
    net = sn.SparseMLP((64, 20, 10), seed=0).fit(*data.train, training=sn.Training(3))
    again = sn.SparseMLP.from_json(net.to_json().encode())
    for ours, theirs in zip(sn.saliency(again), sn.saliency(net), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    "labels",
    [
        [False, True],
        [-(2**40), 7],
        np.array([0, 2**63], np.uint64),
        np.array([1, 2], np.uint8),
        ["b", "ß\n"],
    ],
)
def test_labels_keep_their_type(labels):
    net = prepared(sn.SparseMLP((2, 1)), np.array(labels))
    again = sn.SparseMLP.from_json(net.to_json())
    assert again.classes.tolist() == net.classes.tolist()
    assert again.classes.dtype == net.classes.dtype


def test_hostile_names_stay_text():
    net, X = hostile_network([*HOSTILE, "\ud800"])
    text = net.to_json()
    assert "<" not in text
    assert text.count("\n") == 1
    again = sn.SparseMLP.from_json(text)
    assert again.classes.tolist() == net.classes.tolist()
    assert again.input_names == net.input_names
    assert np.array_equal(again.predict(X), net.predict(X))


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_the_encoder_is_part_of_it(tmp_path):
    net, table = odd_table()
    text = net.to_json(tmp_path / "net.json")
    again = sn.SparseMLP.from_json((tmp_path / "net.json").read_bytes())
    assert again.used_columns == net.used_columns
    assert np.array_equal(again.predict_proba(table), net.predict_proba(table))
    assert again.to_json() == text


def test_subclasses_make_their_own_kind():
    class Mine(sn.SparseMLP):
        pass

    assert type(Mine.from_json(random_network(0)[0].to_json())) is Mine


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="never fitted"):
        sn.SparseMLP((2, 1)).to_json()
    with pytest.raises(FileNotFoundError, match="the folder of"):
        random_network(0)[0].to_json(tmp_path / "none" / "net.json")
    with pytest.raises(TypeError, match="path must be a string or a path, got 5"):
        random_network(0)[0].to_json(5)
    with pytest.raises(TypeError, match="text must be a string or bytes, got None"):
        sn.SparseMLP.from_json(None)


# ---- texts that are no networks

NET = prepared(sn.SparseMLP((3, 2, 2), seed=0), [0, 1, 1])
TABLE = odd_table()[0]


def changed(net, *steps_and_value):
    """The text of a network with one value replaced, or dropped if it is `...`."""
    *steps, last, value = steps_and_value
    document = json.loads(net.to_json())
    place = document
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


LAYER = ("layers", 0)
COLUMN = ("encoder", "columns", 1)
FAULTS = [
    (("format", "other"), "an object of the format 'synaprune network'"),
    (("version", 2), "it has version 2, this version reads 1 alone"),
    (("loss", ...), "it lacks 'loss'"),
    (("extra", 1), "it has unknown keys: 'extra'"),
    (("n_inputs", 2**31), "n_inputs must be from 1"),
    (("n_inputs", 2**30), r"shift must hold 1073741824 items, got 3"),
    (("n_inputs", "3"), "n_inputs must be an int, got str"),
    (("n_inputs", 3.0), "n_inputs must be an int, got float"),
    (("shift", [0.0] * 4), "shift must hold 3 items, got 4"),
    (("scale", [1.0, True, 1.0]), "scale must hold float or int, got True"),
    (("scale", [1e39, 1.0, 1.0]), "scale holds a number that float32 cannot"),
    (("scale", [10**400, 1.0, 1.0]), "too large"),
    (("activation", "gelu"), "activation must be one of"),
    (("activation", ["relu"]), "activation must be one of"),
    (("loss", "hinge"), "loss must be one of"),
    (("loss", "huber"), "do not fit each other"),
    (("loss", "sigmoid"), "needs one output, got 2"),
    (("layers", []), "layers must hold one or more"),
    (("layers", {}), "layers must be an array"),
    (("layers", 0, []), "layers must hold dict"),
    ((*LAYER, "bias", [0.0]), r"layers\[0\].indptr must hold 2 items, got 3"),
    ((*LAYER, "bias", []), "indptr must hold 1 items"),
    ((*LAYER, "indptr", [0, 3, 7]), "indptr must end at the number of synapses 6, got 7"),
    ((*LAYER, "indptr", [1, 3, 6]), "indptr must start at 0"),
    ((*LAYER, "indptr", [0, 2**62, 6]), "indptr falls or leaves"),
    ((*LAYER, "indptr", [0, -1, 6]), "numbers from 0"),
    ((*LAYER, "indices", [0, 1, 2, 0, 1, 3]), "not canonical CSR"),
    ((*LAYER, "indices", [0, 1, 2, 0, 2, 1]), "not canonical CSR"),
    ((*LAYER, "indices", [0, 1, 2, 0, 1, 1]), "not canonical CSR"),
    ((*LAYER, "indices", [0, 1, 2, 0, 1, 2**31]), "numbers from 0 to 2147483647"),
    ((*LAYER, "indices", [0, 1, 2, 0, 1, 2**64]), "too large"),
    ((*LAYER, "indices", [0, 1, 2, 0, 1, 2.0]), "must hold int, got 2.0"),
    ((*LAYER, "values", [0.0] * 5), r"layers\[0\].values must hold 6 items, got 5"),
    ((*LAYER, "values", ["1"] * 6), "must hold float or int, got '1'"),
    ((*LAYER, "initial", ...), r"layers\[0\] lacks 'initial'"),
    (("classes", [0]), "at least two classes"),
    (("classes", [1, 0]), "labels must be sorted"),
    (("classes", [0, 0]), "two classes"),
    (("classes", [0, True]), "classes must hold int, got True"),
    (("classes", [0, 1, 2]), "needs 2 classes, got 3"),
    (("classes", None), "classes or targets, and not both"),
    (("classes", "ab"), "classes must be an array"),
    (("label_type", "<U999999999"), "label_type must be of str"),
    (("label_type", None), "label_type must be of str"),
    (("targets", {"mean": [0.0] * 2, "scale": [1.0] * 2, "one_axis": False}), "and not both"),
    (("targets", {"mean": [0.0]}), "targets lacks 'scale', 'one_axis'"),
    (("init_scale", 0), "init_scale must be finite"),
    (("input_names", "abc"), "input_names must be an array"),
    (("input_names", ["a", "b", "b"]), "input_names must be unique"),
    (("input_names", ["a", "b"]), "must hold 3 names"),
    (("encoder", []), "encoder must be an object"),
    (("encoder", {"columns": [], "left_out": {}, "order": [], "notes": []}), "hold 3 names"),
]
FAULTS_OF_TABLES = [
    ((*COLUMN, "kind", "sounds"), "kind must be one of numbers"),
    ((*COLUMN, "kind", ["numbers"]), "kind must be one of numbers"),
    ((*COLUMN, "fill", "1"), "fill must be a number, got '1'"),
    ((*COLUMN, "fill", ...), "it lacks 'fill'"),
    ((*COLUMN, "missing", 1), "missing must be a bool, got 1"),
    ((*COLUMN, "style", "roman"), "style must be one of plain"),
    ((*COLUMN, "odd", [1]), "odd holds 1"),
    ((*COLUMN, "extra", 1), "unexpected keyword argument 'extra'"),
    (("encoder", "columns", {}), "columns must be a list"),
    (("encoder", "columns", [1]), "columns holds 1"),
    (("encoder", "order", "abc"), "order must be a list"),
    (("encoder", "left_out", []), "left_out must be an object"),
    (("encoder", "left_out", {"a": 1}), "left_out holds 1"),
    (("encoder", "columns", 0, "values", "abc"), "values must be a list"),
    (("encoder", "columns", 0, "values", ["a"]), "must hold"),
]
FAULTS = [(NET, *fault) for fault in FAULTS] + [(TABLE, *f) for f in FAULTS_OF_TABLES]


@pytest.mark.parametrize(("net", "change", "message"), FAULTS)
def test_faults_are_told(net, change, message):
    with pytest.raises(ModelFileError, match="^text does not describe a network: .*" + message):
        sn.SparseMLP.from_json(changed(net, *change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", r"an object of the format 'synaprune network', got \[\]"),
        ("net.json", "it is no JSON, got 'net.json'.*of a file give the text, not the name"),
        (b"\xff\xfe\xfd", "codec can't decode"),
        ("[" * 100_000, "recursion"),
        (NET.to_json()[:-9], "Expecting|Unterminated"),
        (NET.to_json() + "{}", "Extra data"),
        (NET.to_json().replace('"shift": [0.0', '"shift": [NaN'), "JSON has no number NaN"),
        (NET.to_json().replace('"shift": [0.0', '"shift": [-Infinity'), "no number -Infinity"),
        (NET.to_json().replace('"shift": [0.0', '"shift": [1e999'), "that float32 cannot"),
        (NET.to_json().replace('"shift": [0.0', '"shift": [' + "9" * 5000), "digits"),
        (NET.to_json().replace("{", '{"loss": "huber",', 1), "an object has several 'loss'"),
    ],
)
def test_texts_that_are_no_networks_are_refused(text, message):
    with pytest.raises(ModelFileError, match=message):
        sn.SparseMLP.from_json(text)


def test_a_regression_keeps_its_scaler():
    X, net = np.eye(2), prepared(sn.SparseMLP((2, 1), loss="huber"), [1e39, 3e39])
    assert np.array_equal(sn.SparseMLP.from_json(net.to_json()).predict(X), net.predict(X))
    for change in (("targets", "scale", [0.0]), ("targets", "one_axis", 1), ("label_type", "str")):
        with pytest.raises(ModelFileError):
            sn.SparseMLP.from_json(changed(net, *change))


# ---- the schema


def test_the_schema_names_all_keys():
    layer = SCHEMA["$defs"]["layer"]
    assert tuple(SCHEMA["required"]) == tuple(SCHEMA["properties"]) == module.KEYS
    assert tuple(layer["required"]) == tuple(layer["properties"]) == CSR
    assert set(SCHEMA["properties"]["activation"]["enum"]) == set(sn.ACTIVATIONS)
    assert {"auto", *SCHEMA["properties"]["loss"]["enum"]} == set(sn.LOSSES)
    assert set(SCHEMA["properties"]["label_type"]["enum"]) == {None, *module.LABEL_TYPES}
    record = TABLE.encoder.record()
    assert SCHEMA["$defs"]["encoder"]["required"] == list(record)
    for column in record["columns"]:
        assert SCHEMA["$defs"][column["kind"]]["required"] == list(column)


def test_texts_are_valid_and_most_faults_are_not():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    networks = [random_network(seed)[0] for seed in range(40)]
    for net in (NET, TABLE, hostile_network()[0], *networks):
        validator.validate(json.loads(net.to_json()))
    told = [validator.is_valid(json.loads(changed(net, *change))) for net, change, _ in FAULTS]
    assert told.count(False) >= 38  # others are about several values at a time
