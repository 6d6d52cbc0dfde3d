"""Data sets: what `synaprune` trains, chooses and tests on.

Every loader returns a `Dataset` whose three splits never depend on a user's seed.
"""

from ._idx import read_idx
from ._load import load
from ._mnist import mnist
from ._small import digits, xor
from ._table import load_inputs, load_table
from ._types import Dataset, Split

__all__ = [
    "Dataset",
    "Split",
    "digits",
    "load",
    "load_inputs",
    "load_table",
    "mnist",
    "read_idx",
    "xor",
]
