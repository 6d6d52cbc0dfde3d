"""What each part of a network does, and the proof."""

from synaprune.explain._ablation import Ablation, Part, ablate
from synaprune.explain._compare import Comparison, compare, confusion_matrix
from synaprune.explain._contributions import (
    Contributions,
    PathTerm,
    contributions,
    strongest_paths,
)
from synaprune.explain._energy import PathEnergy, activations, feature_energy, path_energy
from synaprune.explain._labels import Confirmation, PartLabel, confirm, label_parts
from synaprune.explain._rules import (
    ClassRules,
    Formula,
    class_rules,
    truth_tables,
)
from synaprune.explain._samples import Examples, Group, examples, groups

__all__ = [
    "Ablation", "ClassRules", "Comparison", "Confirmation", "Contributions", "Examples", "Formula",
    "Group", "Part", "PartLabel", "PathEnergy", "PathTerm", "ablate", "activations", "class_rules",
    "compare", "confirm", "confusion_matrix", "contributions", "examples", "feature_energy",
    "groups", "label_parts", "path_energy", "strongest_paths", "truth_tables",
]  # fmt: skip
