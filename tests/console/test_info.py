"""``synaprune info``: what a saved model is, expects and needs."""

import json

import pytest
import synaprune as sn
from console.process import QUICK, assert_error, flowers, read_json, run, succeed
from synaprune.export.c import footprint


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a model that was searched for, one of a recipe, and a bare network."""
    folder = tmp_path_factory.mktemp("info")
    table = flowers(folder)
    result = sn.smallest_network(
        sn.read_table(table), "kind", candidates=sn.search.CANDIDATES[:1], max_updates=100
    )
    result.path.options |= {"dataset": "flowers.csv", "target": "kind"}  # as the console does
    result.path.save(folder / "searched.npz")
    (folder / "searched.json").write_text(json.dumps(result.record()))
    result.path.expected = result.path.expected | {"metric": "balanced_accuracy"}
    result.path.save(folder / "balanced.npz")
    result.path.expected = {k: v for k, v in result.path.expected.items() if k != "metric"}
    result.path.save(folder / "older.npz")
    result.path.expected_full = None  # as of a search for a count
    result.path.save(folder / "counted.npz")
    succeed("prune", table, "--target", "kind", *QUICK, "--out", folder / "m.npz", "--quiet")
    data = sn.datasets.xor()
    sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train).save(folder / "bare.npz")
    return folder


def told(file):
    return json.loads(succeed("info", file, "--json", "-"))


def test_the_first_lines_say_what_it_predicts_and_how_well(models):
    lines = succeed("info", "searched.npz", cwd=models).splitlines()
    net = sn.SparseMLP.load(models / "searched.npz")
    n = len(net.used_columns)
    assert lines[0] == (
        f"searched.npz predicts 'kind', rose or tulip, from {n} of 2 columns, with "
        f"{net.n_synapses} synapses."
    )
    assert lines[1].startswith("Expected accuracy on fresh data: ")
    assert f"{net.structure}: {net.n_synapses} synapses" in "\n".join(lines)
    for name, what in {"balanced": "balanced accuracy", "older": "score"}.items():
        text = succeed("info", f"{name}.npz", cwd=models)
        assert f"\nExpected {what} on fresh data: " in text
        assert "; full network " in text
    assert "full network" not in succeed("info", "counted.npz", cwd=models)


def test_a_search_keeps_its_estimates_in_the_file(models):
    record, said = told(models / "searched.npz"), read_json(models / "searched.json")
    for key in ("expected", "expected_full"):
        assert record[key] == said[key]
    assert record["training"]["metric"] == said["metric"]
    path = sn.PruningPath.load(models / "searched.npz")
    assert path.expected == said["expected"]
    if len(path) > 1:
        path.undo()
        assert path.expected is None  # it was that of the network that is gone


def test_all_of_it_is_there_as_json(models):
    file = models / "info.json"
    text = succeed("info", models / "searched.npz", "--json", file)
    record = read_json(file)
    assert text == succeed("info", models / "searched.npz")
    net = sn.SparseMLP.load(models / "searched.npz")
    assert record["bytes"] == (models / "searched.npz").stat().st_size
    assert record["network"]["structure"] == net.structure
    assert record["network"]["classes"] == ["rose", "tulip"]
    assert [column["name"] for column in record["columns"]] == net.used_columns
    needs = footprint(net)
    c, *_ = record["exports"]
    assert (c["format"], c["n_flash"]) == ("C float32", needs.n_tables + needs.n_code)
    assert f"{needs.n_tables} bytes of tables, and some {needs.n_code} of code" in net.to_c()
    exports = {e["format"]: e for e in record["exports"]}
    assert exports["JavaScript"]["refused"] is None
    formula = models / "formula.txt"
    succeed("export", models / "searched.npz", "--format", "formula", "--out", formula)
    assert exports["formula"]["n_bytes"] == formula.stat().st_size


def test_models_without_estimates_say_what_they_know(models):
    text = succeed("info", models / "m.npz")
    assert "on the rows that judged it, which tends to be too high" in text
    record = told(models / "bare.npz")
    assert (record["training"], record["expected"], record["columns"]) == (None, None, None)
    assert "The file does not say how well." in succeed("info", models / "bare.npz")


def test_exports_that_cannot_hold_it_say_why(tmp_path):
    data = sn.datasets.xor()
    net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
    net.input_names = ["a" * 70, "A" * 70]
    net.save(tmp_path / "m.npz")
    text = succeed("info", tmp_path / "m.npz")
    assert "SQL (postgresql): postgresql cuts names off after 63 bytes" in text
    sn.SparseMLP((2, 1)).save(tmp_path / "m.npz")
    text = succeed("info", tmp_path / "m.npz")
    assert text.startswith(f"{tmp_path / 'm.npz'}: a network that was never fitted\n")
    assert "No export: the network was never fitted" in text


def test_hostile_names_do_not_steer_the_terminal(tmp_path):
    data = sn.datasets.xor()
    net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
    net.input_names = ["\x1b[31mred", "line\nbreak"]
    net.save(tmp_path / "m.npz")
    text = succeed("info", tmp_path / "m.npz")
    assert "\x1b" not in text
    assert r"Inputs used: \x1b[31mred, line\nbreak" in text


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ("", ["MODEL.npz"]),
        ("no.npz", ["no.npz", "no such file"]),
        ("flowers.csv", ["not a synaprune model file"]),
        ("bare.npz --json no/a.json", ["no/a.json does not exist"]),
        ("bare.npz --json bare.npz", ["--json would overwrite bare.npz"]),
    ],
)
def test_faults_are_told_in_one_line(models, args, parts):
    assert_error(run("info", *args.split(), cwd=models), *parts)
