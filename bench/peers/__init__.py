"""Other libraries, each behind the same small interface, and each allowed to be absent."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
from typing import Any

PACKAGES = {
    "torch": "torch", "jax": "jax", "scipy": "scipy", "sklearn": "scikit-learn",
    "sparselab": "sparselab",
}  # fmt: skip


@functools.cache
def optional(module: str) -> Any:
    """Return a module, or None if it is not installed."""
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def versions() -> str:
    """Names and versions of the peers, the absent ones named as such."""
    parts = []
    for module, package in PACKAGES.items():
        version = importlib.metadata.version(package) if optional(module) else "not installed"
        parts.append(f"{package} {version}")
    return ", ".join(parts)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_counts() -> tuple[int, ...]:
    """One thread, and as many as there are cores."""
    return tuple(sorted({1, cores()}))


def use_threads(n: int) -> None:
    """Let all peers but jax use ``n`` threads from here on; synaprune is told by argument.

    XLA makes its threads once, as many as there are cores, and never changes that.
    """
    if optional("torch"):
        optional("torch").set_num_threads(n)
    if optional("threadpoolctl"):
        _pools().limit(limits=n)


@functools.cache
def _pools() -> Any:
    """Find the thread pools of BLAS and OpenMP, once all peers are loaded."""
    for module in PACKAGES:
        optional(module)
    return optional("threadpoolctl").ThreadpoolController()
