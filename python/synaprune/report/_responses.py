"""Response curves of a report: how predicted numbers answer to the strongest inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from synaprune.arrays import Inputs
from synaprune.explain import mean_feature_energy, partial_dependence
from synaprune.network import SparseMLP

_MAX_INPUTS = 8
_MAX_OUTPUTS = 6
_MAX_SAMPLES = 2000  # averaged over


def response_facts(net: SparseMLP, X: Inputs | None, threads: int) -> dict[str, Any] | None:
    """Return the partial dependence of the numbers on the inputs of the largest energy.

    Parameters
    ----------
    net : SparseMLP
    X : ndarray of float32 or uint8, shape (n, n_features), or None
    threads : int

    Returns
    -------
    dict or None
        "samples": how many are averaged over; "outputs": how many numbers are shown; "curves": for
        each input "input" (its name), "values", and "average", a list for each number. None without
        samples.
    """
    if X is None:
        return None
    some = X[:: -(-len(X) // _MAX_SAMPLES)]
    energy = mean_feature_energy(net)
    strongest = np.argsort(-energy, kind="stable")[:_MAX_INPUTS]
    curves = [
        partial_dependence(net, some, i, threads=threads)
        for i in strongest[energy[strongest] > 0].tolist()
    ]
    n_outputs = min(net.layers[-1], _MAX_OUTPUTS)
    return {
        "samples": len(some),
        "outputs": n_outputs,
        "curves": [
            {
                "input": net.input_name(curve.feature),
                "values": curve.values.tolist(),
                "average": curve.average.T[:n_outputs].tolist(),
            }
            for curve in curves
        ],
    }
