"""Writes sample model files of the current format and what their networks say.

    PYTHONPATH=python python tests/api/models/make.py FOLDER

Samples are committed once for each format and never written anew: they stand for files of users.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import synaprune as sn
from synaprune.io import read_model, write_model

ROWS = b"size,colour,day,kind\n" + b"".join(
    b"%d.5,%s,2024-0%d-11,%s\n"
    % (i, (b"red", b"blue")[i % 2], 1 + i % 9, (b"plum", b"pear")[i // 12])
    for i in range(24)
)


def make(folder):
    """Write each sample, and samples.json with the inputs and the answers of all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)).astype(np.float32)
    y = np.array(["low", "mid", "top"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    numbers = np.stack([3.0 * X[:, 1], X[:, 2] - 40.0], axis=1)
    classes = sn.SparseMLP((4, 6, 3), seed=0, init_scale=1.0, input_scaling="standard")
    classes.fit(X, y, training=sn.Training(60, batch_size=8))
    classes.input_names = ("a", "b", "größe", "d")
    regression = sn.SparseMLP((4, 5, 2), activation="silu", loss="squared_error", seed=1)
    regression.fit(X, numbers, training=sn.Training(30, optimizer=sn.Adam()))
    recipe = sn.Training(40, batch_size=8, optimizer=sn.SGD(0.05, momentum=0.9))
    path = sn.prune(classes, X, y, validation=(X, y), n_synapses=14, training=recipe)
    table = sn.read_table(io.BytesIO(ROWS))
    inputs = table.without(["kind"])
    encoder = sn.TableEncoder.fit(inputs)
    words = sn.SparseMLP((len(encoder.input_names), 4, 1), seed=2, input_scaling="standard")
    words.fit(encoder.transform(inputs), table.columns["kind"].astype(str), training=recipe)
    words.encoder = encoder
    answers = {"X": X.tolist(), "rows": ROWS.decode()}
    for name, thing in (
        ("classes", classes),
        ("regression", regression),
        ("path", path),
        ("table", words),
    ):
        thing.save(folder / f"format2-{name}.npz")
        net = thing.smallest if isinstance(thing, sn.PruningPath) else thing
        samples = inputs if name == "table" else X
        outputs = net.predict(samples) if net.is_regression else net.predict_proba(samples)
        answers[name] = outputs.tolist()
    header, arrays = read_model(folder / "format2-classes.npz")
    for key in ("numbers", "encoder"):  # which files of the first commits of this format have not
        del header["network"][key]
    write_model(folder / "format2-early.npz", header, arrays)
    answers["early"] = answers["classes"]
    (folder / "json1-table.json").write_text(words.to_json(), encoding="ascii")
    (folder / "samples.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
