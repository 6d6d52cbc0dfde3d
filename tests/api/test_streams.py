"""Rows that are read block by block: arrays on disk, iterables, Arrow streams, Parquet."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import synaprune as sn
from synaprune import streams
from synaprune.quantization._contract import Task
from synaprune.scaling import InputTransform, Moments

RECIPE = sn.Training(3, batch_size=16, optimizer=sn.SGD(lr=0.1, momentum=0.5))
SMALL = 2**20  # bytes, of which a chunk is half


class Iterable:
    """Blocks of some rows each, anew whenever it is iterated."""

    def __init__(self, X, y=None, rows=100):
        self.X, self.y, self.rows, self.passes = X, y, rows, 0

    def __iter__(self):
        self.passes += 1
        for a in range(0, len(self.X), self.rows):
            some = slice(a, a + self.rows)
            yield self.X[some] if self.y is None else (self.X[some], self.y[some])


def rows(n, d=4, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return X, (X[:, 0] > X[:, 1]).astype(int)


def network(d=4, outputs=1, **options):
    return sn.SparseMLP((d, 6, outputs), init_scale=1.0, seed=0, **options)


def bits(net):
    return [a.tobytes() for w in net.weights for a in (w.values, w.bias)]


def mapped(folder, array, **options):
    np.save(folder / "a.npy", array)
    return np.load(folder / "a.npy", mmap_mode="r", **options)


# ---- the same as arrays


@pytest.mark.parametrize("scaling", ["auto", "center", "standard"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "i2"])
def test_blocks_of_one_chunk_train_to_the_bits_of_arrays(dtype, scaling):
    X, y = rows(500)
    X = (X * 20 + 100).astype(dtype)
    recipe = replace(RECIPE, class_weight={0: 3.0})
    whole = network(input_scaling=scaling).fit(X, y, training=recipe)
    for blocks in (
        sn.Blocks(Iterable(X, y, 7)),
        sn.Blocks(Iterable(X[:90], y[:90]), Iterable(X[90:], y[90:])),
        sn.Blocks.from_arrays(X, y),
    ):
        net = network(input_scaling=scaling).fit(blocks, training=recipe)
        assert bits(net) == bits(whole)
        assert net.predict(blocks).tolist() == whole.predict(X).tolist()
        assert net.predict_proba(blocks).tobytes() == whole.predict_proba(X).tobytes()
        assert net.score(blocks) == whole.score(X, y)


@pytest.mark.parametrize("sizes", [(7, 333), (50, 1000)])
def test_the_size_of_blocks_and_threads_change_no_bits(sizes):
    X, y = rows(20_000, 20)  # 1.6 MB: four chunks
    recipe = sn.Training(2, batch_size=500, optimizer=sn.SGD(lr=0.5))  # few barriers of threads
    nets = [
        network(20).fit(
            sn.Blocks(Iterable(X, y, size), memory=SMALL), training=recipe, threads=threads
        )
        for size, threads in zip(sizes, (1, 2), strict=True)
    ]
    assert bits(nets[0]) == bits(nets[1])
    assert nets[0].score(X, y) > 0.9


def test_mean_has_the_bits_of_all_rows_and_spread_is_equal_to_rounding():
    X = np.random.default_rng(0).normal(1e4, 1e-2, size=(30_001, 5))
    moments = Moments()
    for first in range(0, len(X), 777):
        moments.add(X[first : first + 777])
    assert moments.mean.tobytes() == X.mean(axis=0).tobytes()
    rounding = np.finfo(float).eps * 1e4 / 1e-2  # of a number beside its distance from the mean
    np.testing.assert_allclose(moments.spread, X.std(axis=0), rtol=rounding)
    constant = InputTransform.of_moments(np.ones(1), np.zeros(1), np.dtype("f4"), "standard")
    assert constant.scale == 1.0


@pytest.mark.parametrize("kind", ["strings", "bools", "soft", "numbers", "balanced"])
def test_targets_of_every_kind(kind):
    X, y = rows(400)
    options, recipe = {}, RECIPE
    if kind == "strings":
        y = np.where(y, "a long label", "no")  # of blocks in which none is long, too
        y[:200] = "no"
    elif kind == "bools":
        y = y.astype(bool)
    elif kind == "soft":
        y = np.stack([1.0 - y, y], axis=1)
    elif kind == "numbers":
        y, options = np.stack([X[:, 0] * 5 + 40, X[:, 1]], 1), {"loss": "squared_error"}
    else:
        recipe = replace(recipe, class_weight="balanced")
    outputs = 2 if kind in ("soft", "numbers") else 1
    whole = network(outputs=outputs, **options).fit(X, y, training=recipe)
    net = network(outputs=outputs, **options).fit(sn.Blocks(Iterable(X, y)), training=recipe)
    if kind == "numbers":
        np.testing.assert_allclose(net.predict(X), whole.predict(X), rtol=1e-4, atol=1e-4)
        assert net.score(sn.Blocks(Iterable(X, y))) == pytest.approx(net.score(X, y), abs=1e-12)
    else:
        assert bits(net) == bits(whole)
        assert net.classes.tolist() == whole.classes.tolist()


def test_prune_takes_blocks():
    X, y = rows(600)
    blocks = sn.Blocks(Iterable(X, y))
    options = {"validation": rows(200, seed=1), "n_synapses": 6, "training": RECIPE}
    for strategy in (sn.Gradual(), sn.Sweep(retrain_epochs=3)):
        for criterion in ("wsf", "taylor"):
            given = options | {"strategy": strategy, "criterion": criterion}
            given["training"] = RECIPE if isinstance(strategy, sn.Gradual) else sn.Training()
            net = network().fit(X, y, training=RECIPE)
            path = sn.prune(net, blocks, **given)
            assert bits(path.smallest) == bits(sn.prune(net, X, y, **given).smallest)


def test_a_checkpoint_of_blocks_is_resumed_and_of_others_refused(tmp_path):
    X, y = rows(300)
    net, file = network().fit(X, y, training=RECIPE), tmp_path / "run.ckpt"
    options = {"validation": (X, y), "n_synapses": 6, "training": RECIPE, "checkpoint": file}
    path = sn.prune(net, sn.Blocks(Iterable(X, y)), **options)
    again = sn.prune(net, sn.Blocks(Iterable(X, y, 7)), **options, resume=True)
    assert bits(path.smallest) == bits(again.smallest)
    with pytest.raises(sn.CheckpointError, match="X"):
        sn.prune(net, sn.Blocks(Iterable(X + 1, y)), **options, resume=True)


# ---- memory


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_map_of_float64_is_read_by_blocks(tmp_path, monkeypatch, order):
    monkeypatch.setattr(streams, "BUDGET", SMALL)
    X, y = rows(10_000, 20)
    X = mapped(tmp_path, np.asarray(X, np.float64, order=order))
    largest = 0
    checked = streams.Blocks.read

    def read(self, rng=None):
        nonlocal largest
        for block in checked(self, rng):
            largest = max(largest, block[1].nbytes)
            yield block

    monkeypatch.setattr(streams.Blocks, "read", read)
    net = network(20).fit(X, y, training=RECIPE)
    assert largest <= streams.Blocks(()).memory // 100
    assert net.score(X, y) == net.score(np.asarray(X, np.float32), y) > 0.95
    assert net.predict(X).tolist() == net.predict(np.array(X)).tolist()
    weighted = network(20).fit(X, y, np.ones(len(y)), training=RECIPE)  # as an array, whole
    assert weighted.n_synapses == net.n_synapses


def test_a_large_map_is_rounded_by_all_of_its_rows(tmp_path, monkeypatch):
    """It came as blocks, of which at most 10000 rows were used without a word."""
    X, y = rows(10_500, 20)
    net = network(20).fit(X, y, training=RECIPE)
    monkeypatch.setattr(streams, "BUDGET", SMALL)
    contract = {"max_drop": 0.2, "min_score": None, "confidence": None, "metric": None}
    X = mapped(tmp_path, np.asarray(X, np.float64))
    task = Task(net, X, y, None, validation=(X[:99], y[:99]), training=None, **contract)
    np.testing.assert_array_equal(task.data.X, X.astype(np.float32))


def test_pages_of_a_map_are_given_back_but_never_those_of_a_private_one(tmp_path):
    X = mapped(tmp_path, np.ones((100, 4)))
    assert streams._mapping(X[5:]) is X.base
    assert streams._mapping(np.asarray(X)) is X.base
    assert streams._mapping(np.ones((2, 2))) is None
    private = np.load(tmp_path / "a.npy", mmap_mode="c")
    private[:] = 2.0
    assert streams._mapping(private[3:]) is None
    blocks = sn.Blocks.from_arrays(private, memory=SMALL)
    assert all((x == 2.0).all() for x, _ in blocks)
    assert (private == 2.0).all()
    streams._forget(X)
    assert (X == 1.0).all()


def test_a_block_that_is_large_is_read_in_slices():
    X, y = rows(50_000)
    blocks = sn.Blocks([(X, y)], memory=SMALL)
    assert max(x.nbytes for x, _ in blocks) <= SMALL // 8
    assert np.array_equal(np.concatenate([y for _, y in blocks]), y)
    with pytest.raises(ValueError, match=r"y of block 0 must have one row a sample, 50000"):
        list(sn.Blocks([(X, y[1:])], memory=SMALL))


# ---- order


def test_a_shuffled_pass_reads_all_parts_in_turn_and_follows_the_seed():
    parts = [Iterable(np.full((6, 1), i), rows=1) for i in range(9)]
    blocks = sn.Blocks(*parts)

    def order(seed):
        return [x.item() for _, x, _ in blocks.read(np.random.default_rng(seed))]

    assert order(0) == order(0) != order(1)
    assert sorted(order(0)) == sorted(x.item() for x, _ in blocks)
    assert len(set(order(0)[:12])) > 2  # not one part after the other


def test_arrays_sorted_by_label_are_learned():
    X, y = rows(30_000, 20)
    by_label = np.argsort(y, kind="stable")
    X, y = X[by_label], y[by_label]
    net = network(20).fit(sn.Blocks.from_arrays(X, y, memory=SMALL), training=RECIPE)
    assert net.score(X, y) > 0.95


def test_epochs_differ_and_a_network_goes_on_from_its_random_state(tmp_path):
    X, y = rows(20_000, 20)
    blocks = sn.Blocks.from_arrays(X, y, memory=SMALL)
    net = network(20).fit(blocks, training=RECIPE)
    net.save(tmp_path / "net.npz")
    twin = sn.SparseMLP.load(tmp_path / "net.npz")
    assert bits(net.fit(blocks, training=RECIPE)) == bits(twin.fit(blocks, training=RECIPE))


# ---- what goes wrong


class Changing(Iterable):
    """Changes from the second epoch on, which is the third pass."""

    def __init__(self, change):
        super().__init__(*rows(300))
        self.change = change

    def __iter__(self):
        changed = self.passes >= 2
        for at, (X, y) in enumerate(super().__iter__()):
            yield self.change(X, y) if changed and at == 2 else (X, y)


def with_nan(X, y):
    X = X.copy()
    X[17, 3] = np.nan
    return X, y


def fails(X, y):
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (with_nan, r"X of block 2 must be finite in float32, got nan in row 17, column 3"),
        (lambda X, y: (X[:50], y[:50]), r"X held 300 rows .* and 250 now"),
        (lambda X, y: (np.vstack([X, X]), np.tile(y, 2)), r"X held 300 rows .* and more now"),
        (lambda X, y: (X[:, :3], y), r"X of block 2 must have 4 columns, got 3"),
        (lambda X, y: (X.astype(np.uint8), y), r"X of block 2 holds uint8, the blocks before"),
        (lambda X, y: (X, y + 5), r"y of block 2 holds the label [56], which is not among"),
        (lambda X, y: (X, y.astype(str)), r"y of block 2 holds <U21 labels"),
        (lambda X, y: (X, y[1:]), r"y of block 2 must have one label a sample, 100, got 99"),
        (lambda X, y: (X, y, y), r"block 2 must be \(X, y\), got 3 parts"),
        (lambda X, y: (X[:0], y[:0]), r"X of block 2 must hold at least one sample"),
        (fails, "the disk is gone"),
    ],
)
def test_blocks_that_change_in_an_epoch_leave_the_network_as_it_was(change, told):
    net = network().fit(*rows(100), training=RECIPE)
    before = net.state()
    with pytest.raises(sn.BlockError, match=told) as caught:
        net.fit(sn.Blocks(Changing(change)), training=RECIPE)
    assert isinstance(caught.value.__cause__, (TypeError, ValueError, OSError))
    assert net.state()[0] == before[0]
    assert all(np.array_equal(a, before[1][name]) for name, a in net.state()[1].items())
    fresh = network()
    with pytest.raises(sn.BlockError):
        fresh.fit(sn.Blocks(Changing(change)), training=RECIPE)
    assert fresh.input_names is None
    with pytest.raises(ValueError, match="never fitted"):
        fresh.check_fitted()


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (lambda X, y: with_nan(X, y), "X of block 1 must be finite .* in row 17, column 3"),
        (lambda X, y: (X.astype(np.uint8), y), "X of block 1 holds uint8, the blocks before other"),
        (lambda X, y: (X, y.astype(str)), "y of block 1 holds <U21 labels, the blocks before int"),
        (lambda X, y: (X, y.astype(bool)), "y of block 1 holds bool labels"),
        (lambda X, y: (X, np.eye(2)[y]), "y of block 1 holds probabilities"),
        (lambda X, y: (X, y + 1), "needs two classes, got 3"),
        (lambda X, y: (X, y + 0.5), r"got [01]\.5 in row 0"),
        (lambda X, y: X, "X of block 1 has no targets"),
        (lambda X, y: (X[:0], y[:0]), "X of block 1 must hold at least one sample"),
    ],
)
def test_the_first_pass_refuses_before_any_training(second, told):
    X, y = rows(100)
    net = network()
    before = bits(net)
    with pytest.raises((TypeError, ValueError), match=told):
        net.fit(sn.Blocks([(X, y), second(X, y)]), training=RECIPE)
    assert bits(net) == before


def test_an_error_of_the_source_itself_names_the_block():
    def broken():
        yield from Iterable(*rows(200))
        raise OSError("the disk is gone")

    net = network().fit(*rows(100), training=RECIPE)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        net.predict(sn.Blocks(broken()))
    assert caught.value.__notes__ == ["while block 2 was read"]


def test_what_can_be_read_once_predicts_but_does_not_train():
    X, y = rows(200)
    net = network().fit(X, y, training=RECIPE)
    assert net.predict(sn.Blocks(iter(Iterable(X)))).tolist() == net.predict(X).tolist()
    once = sn.Blocks(iter(Iterable(X, y)))
    with pytest.raises(TypeError, match="part 0 is a generator, which can be read only once"):
        net.fit(once)
    with pytest.raises(TypeError, match="read anew"):
        once.sample(5)


def test_a_generator_is_no_longer_consumed_by_a_check():
    """This used to be the first thing lost: a check that reads a block of a generator."""
    X, y = rows(200)
    source = iter(Iterable(X, y))
    with pytest.raises(TypeError):
        network().fit(sn.Blocks(source))
    assert len(list(source)) == 2


def test_a_prediction_tells_the_block_of_what_does_not_fit():
    X, y = rows(300)
    net = network().fit(X, y, training=RECIPE)
    wrong = X.copy()
    wrong[217, 3] = np.nan
    with pytest.raises(ValueError, match=r"X of block 2 must be finite .* in row 17, column 3"):
        net.predict(sn.Blocks(Iterable(wrong)))
    with pytest.raises(ValueError, match="X of block 1 must have 4 columns, got 3"):
        net.predict_proba(sn.Blocks([X, X[:, :3]]))
    with pytest.raises(ValueError, match="y of block 1 holds the label 8"):
        net.score(sn.Blocks([(X, y), (X, y + 7)]))


@pytest.mark.parametrize("call", ["fit", "predict", "score", "sample"])
def test_no_rows_are_refused(call):
    net = network().fit(*rows(100), training=RECIPE)
    empty = sn.Blocks([])
    with pytest.raises(ValueError, match="row"):
        empty.sample(3) if call == "sample" else getattr(net, call)(empty)


def test_wrong_arguments_are_refused():
    X, y = rows(100)
    blocks, net = sn.Blocks(Iterable(X, y)), network().fit(X, y)
    for wrong in (X, "file.parquet", 3):
        with pytest.raises(TypeError, match=r"each part must be an iterable of \(X, y\) blocks"):
            sn.Blocks(wrong)
    with pytest.raises(TypeError, match="at least one iterable"):
        sn.Blocks()
    with pytest.raises(ValueError, match="memory must be from 1048576"):
        sn.Blocks([], memory=1)
    with pytest.raises(ValueError, match="y must have one row a sample, 100"):
        sn.Blocks.from_arrays(X, y[1:])
    with pytest.raises(TypeError, match="X must be an ndarray"):
        sn.Blocks.from_arrays(X.tolist(), y)
    with pytest.raises(TypeError, match="y must be left out where X is a Blocks"):
        net.fit(blocks, y)
    with pytest.raises(TypeError, match="sample_weight does not apply"):
        net.fit(blocks, None, np.ones(100))
    with pytest.raises(ValueError, match=r"training\.rewire does not go with Blocks"):
        net.fit(blocks, training=replace(RECIPE, rewire=sn.SET(share=0.3)))


def test_ranks_do_not_go_with_blocks():
    X, y = rows(100)
    blocks, net = sn.Blocks(Iterable(X, y)), network().fit(X, y)
    before = bits(net)
    alone = SimpleNamespace(Get_rank=lambda: 0, Get_size=lambda: 1, Sendrecv=print)
    with pytest.raises(ValueError, match="comm does not go with Blocks"):
        net.fit(blocks, comm=alone)
    with pytest.raises(ValueError, match="comm does not go with Blocks"):
        sn.prune(net, blocks, validation=(X, y), n_synapses=10, comm=alone)
    assert bits(net) == before


def test_inputs_are_dropped_as_of_arrays():
    X, y = rows(300)
    recipe = replace(RECIPE, input_dropout=0.3)
    net = network().fit(sn.Blocks(Iterable(X, y)), training=recipe)
    assert bits(net) == bits(network().fit(X, y, training=recipe))
    assert bits(net) != bits(network().fit(X, y, training=RECIPE))


@pytest.mark.parametrize("criterion", [sn.Criterion("obs"), sn.Criterion(compensate=True)])
def test_curvature_is_of_rows_at_hand(criterion):
    X, y = rows(300)
    net = network().fit(X, y, training=RECIPE)
    given = {"validation": rows(50, seed=1), "n_synapses": 12, "criterion": criterion}
    given["training"] = RECIPE
    path = sn.prune(net, sn.Blocks(Iterable(X, y)), **given)
    assert bits(path.smallest) == bits(sn.prune(net, X, y, **given).smallest)


@pytest.mark.parametrize(
    "call",
    [
        lambda net, blocks: sn.smallest_network(blocks, None),
        lambda net, blocks: sn.sweep({"epochs": [2]}, blocks),
        lambda net, blocks: sn.sweep({"epochs": [2]}, *rows(50), validation=(blocks, None)),
        lambda net, blocks: sn.datasets.from_arrays(blocks, None),
        lambda net, blocks: sn.quantize(net, blocks, None, validation=rows(50)),
        lambda net, blocks: net.check_data(blocks),
        lambda net, blocks: net.fit(*rows(50), validation=(blocks, None)),
        lambda net, blocks: sn.explain.ablate(net, blocks, None),
        lambda net, blocks: net.partial_fit(blocks, rows(300)[1]),
    ],
)
def test_what_needs_arrays_says_so_and_how_to_draw_a_sample(call):
    net = network().fit(*rows(100), training=RECIPE)
    with pytest.raises(TypeError, match=r"rows in memory.*sample|left out where X is a Blocks"):
        call(net, sn.Blocks(Iterable(*rows(300))))


def test_a_sample_holds_each_row_at_most_once_and_its_own_target():
    X = np.arange(2000.0).reshape(1000, 2)
    blocks = sn.Blocks(Iterable(X, np.arange(1000), 33))
    some, y = blocks.sample(100, seed=3)
    assert (some[:, 0] == 2 * y).all()
    assert len(set(y.tolist())) == 100
    assert blocks.sample(100, seed=3)[1].tolist() == y.tolist()
    whole, _ = blocks.sample(5000)
    assert np.array_equal(whole, X)


def test_the_reader_ends_with_the_training():
    X, y = rows(20_000, 20)
    blocks = sn.Blocks(Iterable(X, y, 50), memory=SMALL)

    def boom(progress):
        raise RuntimeError("enough")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="enough"):
        network(20).fit(blocks, training=RECIPE, callback=boom)
    with pytest.raises(sn.TrainingDiverged):
        network(20, loss="squared_error").fit(
            sn.Blocks(Iterable(X, X[:, 0], 50), memory=SMALL),
            training=sn.Training(3, optimizer=sn.SGD(lr=1e30)),
        )
    assert threading.active_count() == before


# ---- Arrow


@pytest.fixture
def table():
    pa = pytest.importorskip("pyarrow")
    X, y = rows(1000)
    columns = {name: X[:, i] for i, name in enumerate("abcd")}
    return pa.table({"label": np.where(y, "yes", "no"), **columns})


def arrow_sources(table, folder):
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    pq.write_table(table, folder / "rows.parquet", row_group_size=100)
    file = str(folder / "rows.parquet")
    return {
        "table": table,
        "path": folder / "rows.parquet",
        "folder": str(folder),
        "dataset": ds.dataset(file),
        "function": table.to_reader,
        "polars": polars.from_arrow(table),
        "duckdb": duckdb.from_parquet(file),
    }


def test_every_arrow_source_trains_to_the_bits_of_a_dataframe(table, tmp_path):
    frame = table.drop_columns(["label"])
    labels = table["label"].to_pylist()
    whole = network().fit(frame, labels, training=RECIPE)
    for name, source in arrow_sources(table, tmp_path).items():
        blocks = sn.Blocks.from_arrow(source, "label")
        net = network().fit(blocks, training=RECIPE)
        assert bits(net) == bits(whole), name
        assert net.input_names == ("a", "b", "c", "d")
        assert net.score(blocks) == whole.score(frame, labels)
        assert net.predict(blocks).tolist() == whole.predict(frame).tolist(), name


def test_columns_are_found_by_name_and_missing_ones_told(table, tmp_path):
    net = network(2).fit(sn.Blocks.from_arrow(table, "label", columns=["b", "a"]))
    assert net.input_names == ("b", "a")
    turned = table.select(["d", "a", "label", "b"])
    assert net.predict(sn.Blocks.from_arrow(turned)).tolist() == net.predict(turned).tolist()
    with pytest.raises(ValueError, match="no column 'z'"):
        list(sn.Blocks.from_arrow(table, "z"))
    with pytest.raises(ValueError, match="X of block 0 has no column 'a'"):
        net.predict(sn.Blocks.from_arrow(table.select(["b"])))
    with pytest.raises(FileNotFoundError, match="no such file"):
        sn.Blocks.from_arrow(tmp_path / "none.parquet")
    with pytest.raises(TypeError, match="source must be a path"):
        sn.Blocks.from_arrow(3)
    with pytest.raises(TypeError, match="a RecordBatchReader, which can be read only once"):
        network().fit(sn.Blocks.from_arrow(table.to_reader(), "label"))


def test_gaps_in_a_row_group_are_told_with_their_place(table, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    gaps = pa.array([None if i == 417 else float(i) for i in range(1000)])
    pq.write_table(table.set_column(1, "a", gaps), tmp_path / "g.parquet", row_group_size=100)
    blocks = sn.Blocks.from_arrow(tmp_path / "g.parquet", "label")
    told = r"X of block 0 of row group 4 of .*g.parquet must be finite .* in row 17, column 'a'"
    with pytest.raises(ValueError, match=told):
        network().fit(blocks)


def test_a_sample_of_arrow_rows_fits_the_encoder_of_a_table(table):
    pa = pytest.importorskip("pyarrow")
    table = table.append_column("kind", pa.array(["red", "blue"] * 500))
    blocks = sn.Blocks.from_arrow(table, "label")
    X, y = blocks.sample(200)
    assert (X.num_rows, len(y)) == (200, 200)
    encoder = sn.TableEncoder.fit(sn.Table.from_dataframe(X))
    net = network(len(encoder.input_names))
    net.encoder = encoder
    net.fit(blocks, training=RECIPE)
    assert net.score(blocks) > 0.9
    assert net.predict(blocks).tolist() == net.predict(table).tolist()
