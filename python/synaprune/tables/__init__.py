"""Tables as people have them: files of many formats, and columns of any kind as inputs.

`read_table` gives a `Table`. `TableEncoder.fit` decides what each of its columns becomes;
`target_labels` makes labels of one of them.
"""

from ._encoder import TableEncoder, numbers
from ._files import read_table
from ._table import Table
from ._target import Target, find_target, target_labels

__all__ = [
    "Table",
    "TableEncoder",
    "Target",
    "find_target",
    "numbers",
    "read_table",
    "target_labels",
]
