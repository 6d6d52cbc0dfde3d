"""Plots with matplotlib: ``pip install "synaprune[plot]"``."""

from synaprune.plots._dependence import plot_partial_dependence
from synaprune.plots._inputs import plot_class_inputs, plot_inputs
from synaprune.plots._matrices import plot_ablation, plot_confusion
from synaprune.plots._network import plot_network
from synaprune.plots._path import plot_path, plot_wsf
from synaprune.plots._stability import plot_stability
from synaprune.plots._sweep import plot_sweep

__all__ = [
    "plot_ablation",
    "plot_class_inputs",
    "plot_confusion",
    "plot_inputs",
    "plot_network",
    "plot_partial_dependence",
    "plot_path",
    "plot_stability",
    "plot_sweep",
    "plot_wsf",
]
