"""`Kept`: the trainings of a search that are finished, in a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np

from synaprune.checkpoint import Arrays, CheckpointError, CheckpointFile
from synaprune.path import PruningPath
from synaprune.search._results import Fold, Run


class Kept:
    """Finished trainings by name; nothing is kept without a file.

    Parameters
    ----------
    file : CheckpointFile or None
    """

    def __init__(self, file: CheckpointFile | None) -> None:
        self._file = file

    def get(self, name: str) -> Fold | Run | None:
        """Return what a training gave, None if it is not finished.

        Raises
        ------
        CheckpointError
            If the file is broken.
        """
        if self._file is None or name not in self._file.parts:
            return None
        try:
            return _unpacked(*self._file.parts[name])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(f"{self._file.path} does not describe a run: {error}") from error

    def put(self, name: str, result: Fold | Run) -> None:
        """Keep what a training gave, and write it if it is time to."""
        if self._file is not None:
            self._file.parts[name] = _packed(result)
            if self._file.due:
                self._file.save()

    def save(self) -> None:
        """Write what is finished."""
        if self._file is not None:
            self._file.save()


def _packed(result: Fold | Run) -> tuple[dict[str, Any], Arrays]:
    if isinstance(result, Fold):
        return {}, result._asdict()
    header, arrays = result.path.state()
    return {"path": header, "losses": result.losses}, arrays


def _unpacked(values: dict[str, Any], arrays: Arrays) -> Fold | Run:
    if "path" not in values:
        return Fold(**arrays)
    losses = np.array(values["losses"], np.float64)
    return Run(PruningPath.from_state(values["path"], arrays), losses.tolist())
