"""The gradual schedule and WSF in torch, with its own masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.peers import optional
from bench.peers.classifiers import TorchMLP


def prune_torch(
    weights: Sequence[sn.SparseLayer],
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    validation: tuple[NDArray[np.float32], NDArray[np.int64]],
    *,
    n_synapses: int,
    epochs: int,
    batch_size: int,
    lr: float,
    gather: str,
) -> tuple[TorchMLP, list[tuple[int, float]]]:
    """Do what `synaprune.prune` does for a count, without its clean-up of dead neurons.

    Returns
    -------
    model : TorchMLP
    path : list of (int, float)
        Synapses and validation accuracy after each epoch.
    """
    torch = optional("torch")
    peer = TorchMLP(weights, X, y, batch_size=batch_size, lr=lr, masked=True, gather=gather)
    initial = [linear.weight_orig.detach().clone() for linear in peer.linears]
    X_val, y_val = map(torch.tensor, validation)
    start = sum(w.numel() for w in initial)
    last = max(1, math.floor(0.7 * epochs))
    cuts = [e for e in range(1, last + 1) if e > 0.05 * epochs]
    factor = sn.ConstantThenCosine(turn=last / epochs)
    path = []
    for epoch in range(1, epochs + 1):
        peer.optimizer.param_groups[0]["lr"] = lr * factor((epoch - 1) / epochs)
        peer.epoch()
        if epoch in cuts:
            share = (cuts.index(epoch) + 1) / len(cuts)
            cut_to(peer.linears, initial, math.floor(start * (n_synapses / start) ** share + 1e-9))
        accuracy = (peer.predict(X_val) == y_val).float().mean().item()
        path.append((int(sum(m.weight_mask.sum() for m in peer.linears)), accuracy))
    return peer, path


def cut_to(linears: Sequence[Any], initial: Sequence[Any], target: int) -> None:
    """Mask all but the ``target`` living weights that moved farthest, over all layers."""
    torch = optional("torch")
    with torch.no_grad():
        moved = torch.cat([
            ((linear.weight_orig - w0).abs() * linear.weight_mask - (1 - linear.weight_mask))
            .flatten()
            for linear, w0 in zip(linears, initial, strict=True)
        ])  # fmt: skip
        keep = torch.zeros_like(moved)
        keep[moved.topk(target).indices] = 1
        parts = keep.split([linear.weight_mask.numel() for linear in linears])
        for linear, part in zip(linears, parts, strict=True):
            linear.weight_mask.copy_(part.view_as(linear.weight_mask))
