"""What the exports to Python and to JavaScript have in common: checks, then text, then a file."""

from __future__ import annotations

import os
from collections.abc import Callable

from synaprune.export._columns import TableColumn, table_columns
from synaprune.export._text import check_identifier
from synaprune.io import check_target, write_atomically
from synaprune.network import SparseMLP
from synaprune.program import Program


def write_module(
    net: SparseMLP,
    path: str | os.PathLike[str] | None,
    name: str,
    render: Callable[[Program, tuple[TableColumn, ...] | None, str], str],
) -> str:
    """Return what ``render(program, columns, name)`` writes, in a file too if there is a path."""
    check_identifier(name)
    program = Program.of(net)
    columns = table_columns(net, program) if program.encoded else None
    if path is not None:
        check_target(path)
    text = render(program, columns, name)
    if path is not None:
        write_atomically(path, text.encode("ascii"))
    return text
