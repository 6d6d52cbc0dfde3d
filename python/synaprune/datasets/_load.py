"""Loading a dataset by name or from a file."""

from __future__ import annotations

import os
from collections.abc import Callable

from synaprune.tables import TableEncoder

from ._mnist import mnist
from ._small import digits, xor
from ._table import load_table
from ._types import Dataset


def load(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    encoder: TableEncoder | None = None,
) -> Dataset:
    """Load a dataset by name, or a table from a file.

    Parameters
    ----------
    name_or_path : str or path-like
        ``"xor"``, ``"digits"``, ``"mnist"``, or a file (see `load_table`). A name takes precedence
        over a file of the same name; ``./mnist`` is the file.
    target : str or int, optional
        The column, or the array, that holds the labels in a file.
    data_dir : path-like, optional
        Folder with the files of MNIST (see `mnist`).
    encoder : TableEncoder, optional
        For a file, as in `load_table`.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError
        If there is no dataset and no file of this name.
    ValueError
        If `target` is given for a named dataset, or the file is invalid.

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.load("xor").n_features
    2
    """
    known: dict[str, Callable[[], Dataset]] = {
        "xor": xor,
        "digits": digits,
        "mnist": lambda: mnist(data_dir),
    }
    name = os.fspath(name_or_path)
    if name in known:
        if target is not None:
            raise ValueError(
                f"target: expected None for {name!r}, which has labels of its own, got {target!r}"
            )
        return known[name]()
    if not os.path.exists(name):
        raise FileNotFoundError(
            f"no dataset or file {name!r}: expected {', '.join(known)}, or a file"
        )
    return load_table(name, target, encoder=encoder)
