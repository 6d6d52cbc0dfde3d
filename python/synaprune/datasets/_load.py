"""One door to all data sets, for the console and for scripts."""

from __future__ import annotations

import os
from collections.abc import Callable

from ._mnist import mnist
from ._small import digits, xor
from ._table import load_table
from ._types import Dataset


def load(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load a data set by its name, or a table from a file.

    Parameters
    ----------
    name_or_path : str or path-like
        ``"xor"``, ``"digits"``, ``"mnist"``, or a CSV or NPZ file (see `load_table`). A name
        goes before a file that is called the same; ``./mnist`` is the file.
    target : str, optional
        The labels' column or array in a file.
    data_dir : path-like, optional
        Where the files of MNIST are (see `mnist`).

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError
        If it is neither a known name nor a file.
    ValueError
        If `target` is given for a named data set, or the file is faulty.

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.load("xor").n_inputs
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
            raise ValueError(f"target: only for files, {name!r} has its own labels, got {target!r}")
        return known[name]()
    if not os.path.exists(name):
        raise FileNotFoundError(
            f"no data set or file {name!r}: expected {', '.join(known)}, or a CSV or NPZ file"
        )
    return load_table(name, target)
