"""`write_report`: the HTML page, and its file."""

from __future__ import annotations

import html
import json
import os
import re
from importlib import resources
from typing import Any

from synaprune.checks import check_int
from synaprune.io import write_atomically
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.report._facts import collect
from synaprune.threads import Threads, check_threads

_SCRIPTS = ("base.js", "network.js", "figures.js", "page.js")


def write_report(
    file: str | os.PathLike[str],
    subject: PruningPath | SparseMLP,
    *,
    validation: Any = None,
    test: Any = None,
    image_shape: tuple[int, int] | None = None,
    title: str | None = None,
    max_synapses: int = 3000,
    threads: Threads = None,
) -> None:
    """Write a self-contained HTML page about a network; it needs no network connection.

    Parameters
    ----------
    file : path-like
        An existing file is replaced only when the new one is complete.
    subject : PruningPath or SparseMLP
        A path, whose smallest network is described, or a network.
    validation : (X, y), optional
        Samples on which units are labelled. Without samples some sections are empty. About a
        network that predicts numbers the page has drops in R² and response curves in place of
        labels, rules and samples.
    test : (X, y), optional
        Fresh samples, on which labels are tested again and the score is reported.
    image_shape : (int, int), optional
        Rows and columns, if the inputs are an image.
    title : str, optional
        Title of the page; if omitted, the name of the dataset.
    max_synapses : int
        Maximum number of synapses in the drawing, at least 1. The strongest of each layer are
        drawn; the page tells how many are not.
    threads : int or "auto", optional

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, the path is empty or the network was never fitted.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> sn.report.write_report("digits.html", net, validation=data.validation, test=data.test,
    ...                        image_shape=(8, 8))  # doctest: +SKIP
    """
    facts = collect(
        subject,
        validation=validation,
        test=test,
        image_shape=image_shape,
        max_synapses=check_int("max_synapses", max_synapses, 1),
        threads=check_threads(threads),
    )
    name = title or facts["summary"]["dataset"] or "network"
    text = page(facts, f"{name} · {facts['summary']['structure']}")
    write_atomically(file, text.encode("utf-8", "replace"))


def page(facts: dict[str, Any], title: str) -> str:
    """Combine facts, style and scripts into one page.

    Parameters
    ----------
    facts : dict
        JSON values. They enter the page as text, never as markup.
    title : str

    Returns
    -------
    str
    """
    folder = resources.files(__package__) / "page"

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    data = json.dumps(facts, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":  # markup in the data cannot end the script element
        data = data.replace(character, f"\\u{ord(character):04x}")
    parts = {
        "{{title}}": html.escape(title),
        "{{style}}": read("style.css"),
        "{{script}}": "\n".join(read(name) for name in _SCRIPTS),
        "{{facts}}": data,
    }
    return re.sub("|".join(map(re.escape, parts)), lambda m: parts[m[0]], read("page.html"))
