"""Explanations of a network: what each unit does, and the evidence for it.

Layers are numbered as ``net.weights``: layer 0 leads from the inputs to the first hidden neurons,
the last layer to the outputs. A neuron belongs to the layer that computes it; inputs to none (-1).
"""

from synaprune.explain._ablation import Ablation, RegressionAblation, Unit, ablate
from synaprune.explain._activations import activations
from synaprune.explain._annotations import Replication, UnitLabel, annotate_units, replicate
from synaprune.explain._attributions import (
    Attributions,
    PathTerm,
    attributions,
    strongest_paths,
)
from synaprune.explain._compare import Comparison, compare, confusion_matrix
from synaprune.explain._dependence import PartialDependence, partial_dependence
from synaprune.explain._energy import (
    PathEnergy,
    feature_energy,
    mean_feature_energy,
    path_energy,
)
from synaprune.explain._equation import Equation, EquationInput, NeuronState, equation
from synaprune.explain._interactions import Interactions, interactions
from synaprune.explain._rules import (
    MAX_TABLE_INPUTS,
    ClassRules,
    Formula,
    class_rules,
    truth_tables,
)
from synaprune.explain._samples import (
    ActivationPattern,
    ClassPrototypes,
    activation_patterns,
    prototypes,
)

__all__ = [
    "MAX_TABLE_INPUTS", "Ablation", "ActivationPattern", "Attributions", "ClassPrototypes",
    "ClassRules", "Comparison", "Equation", "EquationInput", "Formula", "Interactions",
    "NeuronState", "PartialDependence", "PathEnergy", "PathTerm", "RegressionAblation",
    "Replication", "Unit", "UnitLabel", "ablate", "activation_patterns", "activations",
    "annotate_units", "attributions", "class_rules", "compare", "confusion_matrix", "equation",
    "feature_energy", "interactions", "mean_feature_energy", "partial_dependence", "path_energy",
    "prototypes", "replicate", "strongest_paths", "truth_tables",
]  # fmt: skip
