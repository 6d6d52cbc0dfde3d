"""`PruningPath`: every accepted network of a run, from the full one to the smallest."""

from synaprune.path._path import PruningPath
from synaprune.path._step import PathStep

__all__ = ["PathStep", "PruningPath"]
