"""Model files of every format that was ever written stay loadable and say the same."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from synaprune.export.json import VERSION
from synaprune.io import FORMAT

FOLDER = Path(__file__).with_name("models")
SAMPLES = json.loads((FOLDER / "samples.json").read_text())
FILES = sorted(FOLDER.glob("format*.npz")) + sorted(FOLDER.glob("json*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_model_says_what_it_said_when_it_was_written(file, tmp_path):
    name = file.stem.partition("-")[2]
    if file.suffix == ".json":
        net = sn.SparseMLP.from_json(file.read_text())
    else:
        net = sn.SparseMLP.load(file)
    X = np.array(SAMPLES["X"], np.float32)
    if name == "table":
        X = sn.read_table(io.BytesIO(SAMPLES["rows"].encode())).without(["kind"])
    said = net.predict(X) if net.is_regression else net.predict_proba(X)
    # baseline and AVX2 differ in rounding
    np.testing.assert_allclose(said, SAMPLES[name], rtol=1e-4, atol=1e-5)
    net.save(tmp_path / "again.npz")
    again = sn.SparseMLP.load(tmp_path / "again.npz")
    assert again.state()[0] == net.state()[0]


def test_the_committed_path_keeps_its_steps():
    path = sn.PruningPath.load(FOLDER / "format2-path.npz")
    assert [len(path) > 1, path.smallest.n_synapses <= 14, path.metric] == [True, True, "accuracy"]
    assert path.network(0).n_synapses == 42


def test_every_format_has_a_sample():
    assert {file.stem.partition("-")[0] for file in FILES} >= {f"format{FORMAT}", f"json{VERSION}"}
