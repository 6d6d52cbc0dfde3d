"""Tables as people have them: files of many formats, and columns of any kind as inputs.

`read_table` gives a `Table`. `TableEncoder.fit` decides what each of its columns becomes;
`read_target` makes labels or numbers of one of them.
"""

from ._cells import ADORNED, APART, AROUND, MISSING
from ._encoder import TableEncoder, numbers
from ._files import read_table
from ._table import Table
from ._target import Target, find_target, is_amount, known_target, read_target

__all__ = [
    "ADORNED",
    "APART",
    "AROUND",
    "MISSING",
    "Table",
    "TableEncoder",
    "Target",
    "find_target",
    "is_amount",
    "known_target",
    "numbers",
    "read_table",
    "read_target",
]
