"""Small files to read: tables and IDX."""

import struct

import numpy as np


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def npz(tmp_path, **arrays):
    path = tmp_path / "table.npz"
    np.savez(path, **arrays)
    return path


def rows_of(data):
    return np.concatenate([split.X for split in (data.train, data.validation, data.test)])


def idx(array):
    array = np.asarray(array, np.uint8)
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


GOOD = idx(np.arange(6).reshape(2, 3))
FRUIT = "gram,kind,cm\n" + "".join(f"{100 + i},apple,{i}\n{i}.5,cherry,{i / 8}\n" for i in range(5))
