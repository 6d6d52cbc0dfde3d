"""Datasets: loaders of the built-in datasets and of tables in files.

Every loader returns a `Dataset`. Its training, validation and test splits do not depend on a seed.
"""

from ._given import from_arrays, read_answers
from ._idx import read_idx
from ._load import load
from ._mnist import mnist
from ._small import digits, xor
from ._table import Rows, load_columns, load_inputs, load_rows, load_table
from ._types import Dataset, Split

__all__ = [
    "Dataset",
    "Rows",
    "Split",
    "digits",
    "from_arrays",
    "load",
    "load_columns",
    "load_inputs",
    "load_rows",
    "load_table",
    "mnist",
    "read_answers",
    "read_idx",
    "xor",
]
