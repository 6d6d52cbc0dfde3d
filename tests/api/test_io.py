"""Model files: every bit comes back, equal networks are equal bytes, and no fault goes unseen."""

import copy
import errno
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune.io import FORMAT, read_model, write_atomically, write_model

# --- there and back -----------------------------------------------------------------------------

LABELS = {
    "ints": lambda n: np.arange(n) * 7 - 3,
    "wide ints": lambda n: np.arange(n) + 2**62,
    "uint8": lambda n: np.arange(n, dtype=np.uint8),
    "wide uint64": lambda n: np.arange(n, dtype=np.uint64) * 2**63 + 1,
    "bools": lambda n: np.array([False, True]),
    "strings": lambda n: np.array([f"klass {i} ä日" for i in range(n)]),
    "empty string": lambda n: np.array(["", "\n\0x", "z", "zz"][:n]),
}
finite = st.floats(-(2.0**60), 2.0**60, width=32)


@st.composite
def networks(draw):
    """Any structure down to no synapse at all, any weights, fitted or not."""
    n_out = draw(st.integers(1, 4))
    sizes = (*draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)), n_out)
    net = sn.SparseMLP(
        sizes,
        activation=draw(st.sampled_from(["relu", "sigmoid", "tanh"])),
        loss=draw(st.sampled_from(["auto", "squared"])),
        init_scale=draw(st.floats(1e-3, 1e3)),
        input_scaling=draw(
            st.sampled_from(["auto", "standard", "none", (0.1, 3.0), ([-1.0] * sizes[0], 1e-7)])
        ),
        seed=draw(st.integers(0, 2**64 - 1)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.3, 1.0]))
    layers = []
    for w in net.weights:
        mask = rng.random(w.shape) < density
        nnz = int(mask.sum())
        layers.append(
            sn.SparseLayer(
                w.n_in,
                np.concatenate([[0], np.cumsum(mask.sum(axis=1))]),
                np.nonzero(mask)[1],
                draw(st.lists(finite, min_size=nnz, max_size=nnz)),
                rng.normal(size=nnz).astype(np.float32),
                rng.normal(size=w.shape[0]).astype(np.float32),
            )
        )
    net.set_weights(layers)
    if draw(st.booleans()):
        kinds = ["ints", "wide ints", "strings", "empty string", *["bools"] * (n_out <= 2)]
        labels = LABELS[draw(st.sampled_from(kinds))](max(n_out, 2))
        net.prepare(rng.integers(0, 9, (len(labels), sizes[0])), labels)
    if draw(st.booleans()):
        net.input_names = tuple(f"größe {i}" for i in range(sizes[0]))
    return net


def assert_equal(a, b, bits):
    assert bits(a) == bits(b)
    assert a.state()[0] == b.state()[0]
    assert repr(a) == repr(b)
    assert b.input_names is None or isinstance(b.input_names, tuple)
    if a._targets is not None:
        assert a.classes.dtype.kind == b.classes.dtype.kind


@given(net=networks())
def test_every_bit_comes_back(net, tmp_path_factory, bits):
    file = tmp_path_factory.mktemp("io") / "net.npz"
    net.save(file)
    loaded = sn.SparseMLP.load(file)
    assert_equal(net, loaded, bits)
    again = file.with_name("again.npz")
    loaded.save(again)
    assert again.read_bytes() == file.read_bytes()


@given(net=networks())
def test_pickles_and_deep_copies_are_equal(net, bits):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert_equal(net, pickle.loads(pickle.dumps(net, protocol)), bits)
    assert_equal(net, copy.deepcopy(net), bits)
    assert_equal(net, net.copy(), bits)


@pytest.mark.parametrize("kind", LABELS)
def test_labels_survive(kind, tmp_path, data):
    labels = LABELS[kind](2)[data[1]]
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0).fit(data[0], labels)
    net.save(tmp_path / "net.npz")
    for twin in (sn.SparseMLP.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net))):
        said, meant = twin.predict(data[0]), net.predict(data[0])
        assert said.dtype.kind == meant.dtype.kind
        assert said.tolist() == meant.tolist()
        assert twin.score(data[0], labels) == net.score(data[0], labels)


def test_a_loaded_network_trains_on_as_the_saved_one(tmp_path, data, trained, bits):
    net = trained()
    net.save(tmp_path / "net.npz")
    loaded = sn.SparseMLP.load(tmp_path / "net.npz")
    assert bits(net.fit(*data, training=sn.Training(2))) == bits(
        loaded.fit(*data, training=sn.Training(2))
    )
    assert bits(net.reset()) == bits(loaded.reset())


def test_a_given_scaling_outlives_a_reset_of_the_loaded_network(tmp_path, bits):
    net = sn.SparseMLP((2, 1), input_scaling=([1.0, 2.0], 3.0))
    net.save(tmp_path / "net.npz")
    assert bits(sn.SparseMLP.load(tmp_path / "net.npz").reset()) == bits(net)


@pytest.mark.parametrize(
    "optimizer", [sn.SGD(), sn.SGD(0.05, momentum=0.9), sn.Adam(0.01)], ids=str
)
def test_equal_networks_are_equal_bytes(optimizer, tmp_path, data):
    contents = set()
    for name in ("a.npz", "b", "c.model"):
        net = sn.SparseMLP((4, 6, 1), seed=8)
        net.fit(*data, training=sn.Training(2, optimizer=optimizer), threads=len(contents) + 1)
        net.save(str(tmp_path / name))
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b", "c.model"]


# --- what is in the file ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    """A saved network, and its file."""
    net = trained()
    net.input_names = ("a", "b", "c", "d")
    file = tmp_path_factory.mktemp("model") / "net.npz"
    net.save(file)
    return net, file


@pytest.fixture(scope="module")
def path_model(trained, data, tmp_path_factory):
    """A saved path, and its file."""
    path = sn.prune(trained(), *data, validation=data, n_synapses=10, training=sn.Training(6))
    file = tmp_path_factory.mktemp("path") / "path.npz"
    path.save(file)
    return path, file


def test_members_are_plain_arrays_and_one_json_header(model, path_model):
    for _, file in (model, path_model):
        with zipfile.ZipFile(file) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            names = archive.namelist()
            assert names == sorted(names)
            assert [n for n in names if not n.endswith(".npy")] == ["header.json"]
            header = json.loads(archive.read("header.json"))
        assert header["format"] == FORMAT
        assert header["version"] == sn.__version__
        with np.load(file, allow_pickle=False) as arrays:
            kinds = {arrays[n.removesuffix(".npy")].dtype.str for n in names if n != "header.json"}
        assert kinds <= {"<f4", "<i4", "<i8"}


def test_an_object_array_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_model(tmp_path / "x", {}, {"a": np.array([{}, []], object)})
    assert list(tmp_path.iterdir()) == []


# --- broken files -------------------------------------------------------------------------------


def same(loaded, original, bits):
    if isinstance(original, sn.SparseMLP):
        return bits(loaded) == bits(original)
    return loaded.to_json() == original.to_json() and all(
        bits(loaded.network(i)) == bits(original.network(i)) for i in range(len(original))
    )


CASES = {"model": sn.SparseMLP, "path_model": sn.PruningPath}


@pytest.mark.parametrize("case", CASES)
def test_truncated_files_are_refused(case, request, tmp_path):
    content = request.getfixturevalue(case)[1].read_bytes()
    cut = tmp_path / "cut.npz"
    for length in [*range(0, len(content), 17), *range(len(content) - 30, len(content))]:
        cut.write_bytes(content[:length])
        with pytest.raises(sn.ModelFileError, match=r"cut\.npz.* truncated or altered"):
            CASES[case].load(cut)


@pytest.mark.parametrize("case", CASES)
def test_a_flipped_byte_is_noticed_or_harmless(case, request, tmp_path, bits):
    original, file = request.getfixturevalue(case)
    content = file.read_bytes()
    rng = np.random.default_rng(1)
    step = 3 if case == "model" else 11
    noticed = 0
    flipped = tmp_path / "flipped.npz"
    for at in range(0, len(content), step):
        broken = bytearray(content)
        broken[at] ^= int(rng.integers(1, 256))
        flipped.write_bytes(broken)
        try:
            loaded = CASES[case].load(flipped)
        except sn.ModelFileError:
            noticed += 1
        else:
            assert same(loaded, original, bits), at
    assert noticed > len(content) / step / 2


@given(damage=st.data())
def test_any_damage_is_noticed_or_harmless(damage, model, tmp_path_factory, bits):
    original, file = model
    content = file.read_bytes()
    broken = bytearray(content)
    for _ in range(damage.draw(st.integers(1, 4))):
        begin = damage.draw(st.integers(0, len(broken)))
        end = damage.draw(st.integers(begin, min(len(broken), begin + 20)))
        broken[begin:end] = damage.draw(st.binary(max_size=20))
    place = tmp_path_factory.mktemp("damage") / "broken.npz"
    place.write_bytes(broken)
    try:
        loaded = sn.SparseMLP.load(place)
    except sn.ModelFileError:
        return
    assert same(loaded, original, bits)


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip",
        b"PK\x03\x04" + bytes(100),
        pickle.dumps({"format": 1}),
        zipped({}),
        zipped({"a.npy": b"x"}),
        zipped({"header.json": b"{"}),
        zipped({"header.json": b"\xff\xfe"}),
        zipped({"header.json": b"[]"}),
        zipped({"header.json": b"null"}),
        zipped({"header.json": b"{}"}),
        zipped({"header.json": b'{"format": "1"}'}),
        zipped({"header.json": b'{"format": 1}'}),
        zipped({"header.json": b'{"format": 1, "sha256": 0}'}),
    ],
    ids=range(14),
)
def test_what_is_no_model_is_refused(content, tmp_path):
    file = tmp_path / "thing.npz"
    file.write_bytes(content)
    for load in (sn.SparseMLP.load, sn.PruningPath.load):
        with pytest.raises(sn.ModelFileError, match=r"thing\.npz"):
            load(file)


def test_a_plain_npz_is_refused(tmp_path):
    np.savez(tmp_path / "plain.npz", a=np.ones(3))
    with pytest.raises(sn.ModelFileError, match=r"plain\.npz is not a synaprune model file"):
        sn.SparseMLP.load(tmp_path / "plain.npz")


@pytest.mark.parametrize("version", [1, FORMAT + 6])
def test_another_format_is_named(version, model, tmp_path):
    with zipfile.ZipFile(model[1]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["header.json"])
    members["header.json"] = json.dumps({**header, "format": version}).encode()
    (tmp_path / "new.npz").write_bytes(zipped(members))
    message = rf"new\.npz has model format {version}, this version reads format {FORMAT} alone"
    with pytest.raises(sn.ModelFileError, match=message):
        sn.SparseMLP.load(tmp_path / "new.npz")


def test_a_member_changed_in_a_sound_zip_is_noticed(model, tmp_path):
    with zipfile.ZipFile(model[1]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    changes = {
        "network/layer0_values.npy": lambda old: old[:-1] + bytes([old[-1] ^ 1]),
        "header.json": lambda old: old.replace(b'"relu"', b'"tanh"'),
    }
    for name, change in changes.items():
        changed = {**members, name: change(members[name])}
        assert changed != members
        (tmp_path / "bent.npz").write_bytes(zipped(changed))
        with pytest.raises(sn.ModelFileError, match=r"bent\.npz is altered: its checksum"):
            sn.SparseMLP.load(tmp_path / "bent.npz")


BENT = {
    "layers": [[], [4], [4, 6, 2], ["4", 6, 1], None, [4, 6, 0]],
    "activation": ["gelu", None],
    "loss": ["hinge", "softmax", None],
    "rng_state": [-1, 2**64, "1", None],
    "seed": ["1", -1],
    "classes": [[0], [0, 1, 2], [0.5, 1.5], [1, 0], [0, None], 5],
    "input_names": [5, ["a"], ["a", "b", "c", "c"], ["a", "b", "c", 4], "abcd"],
    "init_scale": ["1", 0.0, -1.0, None],
    "optimizer": [5, "sgd", ["sgd", 1], ["sgd", 1, 1], ["adam", 3, 2]],
    "input_scaling": ["minmax"],
}  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_a_whole_file_that_describes_no_network_is_refused(name, model, tmp_path):
    """The checksum is right, so that the description itself has to be judged."""
    header, arrays = read_model(model[1])
    file = tmp_path / "bent.npz"
    for value in BENT[name]:
        write_model(file, {**header, "network": {**header["network"], name: value}}, arrays)
        with pytest.raises(sn.ModelFileError, match=r"bent\.npz does not describe a network"):
            sn.SparseMLP.load(file)
    del header["network"][name]
    write_model(file, header, arrays)
    with pytest.raises(sn.ModelFileError, match=r"bent\.npz does not describe a network"):
        sn.SparseMLP.load(file)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer0_indptr", np.zeros(7, np.int64)),
        ("layer0_indices", np.zeros(24, np.int32)),
        ("layer0_indices", np.full(24, 10**9, np.int32)),
        ("layer0_values", np.full(24, np.nan, np.float32)),
        ("layer0_values", np.ones(23, np.float32)),
        ("layer0_values", np.ones((6, 4), np.float32)),
        ("layer1_bias", np.ones(9, np.float32)),
        ("input_shift", np.ones(3, np.float32)),
        ("input_scale", np.full(4, np.inf, np.float32)),
        ("input_scale", np.array(["a"] * 4)),
    ],
)
def test_a_whole_file_with_wrong_arrays_is_refused(name, value, model, tmp_path):
    header, arrays = read_model(model[1])
    write_model(tmp_path / "bent.npz", header, {**arrays, f"network/{name}": value})
    with pytest.raises(sn.ModelFileError, match=r"bent\.npz does not describe a network"):
        sn.SparseMLP.load(tmp_path / "bent.npz")


@pytest.mark.parametrize(
    ("optimizer", "moments"),
    [
        (["adam", 3, 2], np.zeros(37, np.float32)),
        (["adam", 3, 1], np.zeros(37, np.float32)),
        (["adam", -1, 2], np.zeros(74, np.float32)),
        (["adam", 3, 2], np.zeros(74)),
        (["adam", 3, 2], np.full(74, np.nan, np.float32)),
        (["adam", 3, 0], np.zeros(0, np.float32)),
        (["adam", 3, "2"], np.zeros(74, np.float32)),
        (["newton", 3, 1], np.zeros(37, np.float32)),
    ],
)
def test_a_whole_file_with_a_wrong_optimizer_state_is_refused(optimizer, moments, model, tmp_path):
    header, arrays = read_model(model[1])
    network = {**header["network"], "optimizer": optimizer}
    bent = {**arrays, "network/moments": moments}
    write_model(tmp_path / "bent.npz", {**header, "network": network}, bent)
    with pytest.raises(sn.ModelFileError, match=r"bent\.npz does not describe a network"):
        sn.SparseMLP.load(tmp_path / "bent.npz")


# --- the file system ----------------------------------------------------------------------------


@pytest.mark.parametrize("load", [sn.SparseMLP.load, sn.PruningPath.load])
def test_a_missing_file_is_named(load, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        load(tmp_path / "absent.npz")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_targets_that_cannot_be_files_are_named(model, path_model, tmp_path):
    for thing, _ in (model, path_model):
        with pytest.raises(FileNotFoundError, match=r"the folder of .*absent/net\.npz does not ex"):
            thing.save(tmp_path / "absent" / "net.npz")
        with pytest.raises(IsADirectoryError, match=rf"{tmp_path} is a folder"):
            thing.save(tmp_path)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("case", CASES)
def test_a_failing_write_leaves_the_old_file_whole(
    where, error, case, request, tmp_path, monkeypatch
):
    thing, file = request.getfixturevalue(case)
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    old.write_bytes(file.read_bytes())

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(os, where, fail)
    for target in (old, new):
        with pytest.raises(type(error)):
            thing.save(target)
    assert [p.name for p in tmp_path.iterdir()] == ["old.npz"]
    assert old.read_bytes() == file.read_bytes()
    CASES[case].load(old)


def test_write_atomically_replaces(tmp_path):
    target = tmp_path / "x"
    for content in (b"one", b"", b"three" * 1000):
        write_atomically(target, content)
        assert target.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_path_file_holds_its_smallest_network(path_model, bits):
    path, file = path_model
    assert bits(sn.SparseMLP.load(file)) == bits(path.smallest)


def test_a_network_without_a_path_is_no_path(model):
    with pytest.raises(sn.ModelFileError, match=r"network without a path; use SparseMLP\.load"):
        sn.PruningPath.load(model[1])


def test_a_link_stays_a_link_and_a_device_stays_itself(tmp_path, trained):
    # This used to replace whatever the path named, a device node too.
    (tmp_path / "link.npz").symlink_to(tmp_path / "real.npz")
    trained().save(tmp_path / "link.npz")
    assert (tmp_path / "link.npz").is_symlink()
    assert (tmp_path / "real.npz").is_file()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        trained().save(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
