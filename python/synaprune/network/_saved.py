"""`SavedNetwork`: the state of a network as arrays, and its files."""

from __future__ import annotations

import os
from typing import Any, Self

from numpy.typing import NDArray

from synaprune import _core, io
from synaprune.checks import check_int
from synaprune.network._base import SparseNetwork
from synaprune.network._checks import (
    ACTIVATIONS,
    INPUT_SCALINGS,
    one_of,
    read_classes,
    resolve_loss,
)
from synaprune.network._weights import CSR, Weights


class SavedNetwork(SparseNetwork):
    """A network that can be pickled, written and read.

    The public class is `SparseMLP`, which adds training and prediction.
    """

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return (JSON values, arrays) from which `from_state` makes an equal network.

        Optimiser state (momentum) is not part of it.
        """
        shift, scale = self.input_transform
        arrays: dict[str, NDArray[Any]] = {"input_shift": shift, "input_scale": scale}
        for i, w in enumerate(self.weights):
            for name in CSR:
                arrays[f"layer{i}_{name}"] = getattr(w, name)
        if (frozen := self.core.frozen) is not None:
            arrays["frozen"] = frozen
        scaling = self.input_scaling if isinstance(self.input_scaling, str) else "given"
        header = {
            "layers": list(self.layers),
            "activation": self.activation,
            "loss": self.loss,
            "init_scale": self.init_scale,
            "input_scaling": scaling,
            "seed": self.seed,
            "rng_state": self.core.rng_state,
            "classes": None if self._classes is None else self._classes.tolist(),
            "labels": None if self._classes is None else self._classes.dtype.str,
            "input_names": None if self.input_names is None else list(self.input_names),
        }
        return header, arrays

    @classmethod
    def from_state(cls, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Rebuild a network from what `state` returned.

        Parameters
        ----------
        header : dict
            JSON values.
        arrays : dict of ndarray

        Returns
        -------
        SparseMLP
        """
        net = cls.__new__(cls)
        net.layers = tuple(check_int("each size in layers", n, 1) for n in header["layers"])
        net.activation = one_of("activation", header["activation"], ACTIVATIONS)
        net.loss = resolve_loss(header["loss"], net.layers[-1])
        net.init_scale = header["init_scale"]
        net.seed = check_int("seed", header["seed"], 0, 2**64 - 1)
        net.core = _core.Network.from_layers(
            [
                Weights(n_in, *(arrays[f"layer{i}_{name}"] for name in CSR)).to_core()
                for i, n_in in enumerate(net.layers[:-1])
            ],
            net.activation,
            net.loss,
            header["rng_state"],
        )
        transform = (arrays["input_shift"], arrays["input_scale"])
        net._set_transform(*transform)
        net.core.frozen = arrays.get("frozen")
        scaling = header["input_scaling"]
        net.input_scaling = (
            transform if scaling == "given" else one_of("input_scaling", scaling, INPUT_SCALINGS)
        )
        labels = header["classes"]
        net._classes = (
            None if labels is None else read_classes(labels, header["labels"], net.layers[-1])
        )
        names = header["input_names"]
        net.input_names = None if names is None else tuple(names)
        return net

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_state, self.state())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (``.npz``); equal networks give equal bytes.

        Parameters
        ----------
        path : path-like
            Where to; an older file is replaced only when the new one is whole.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        header, arrays = self.state()
        io.write_model(
            path,
            {"version": _core.__version__, "network": header},
            {f"network/{name}": a for name, a in arrays.items()},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the network of a model file, whether `save` or `PruningPath.save` wrote it.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        SparseMLP

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If it is not a whole and unaltered model file.
        """
        header, arrays = io.read_model(path)
        prefix = "network/"
        try:
            return cls.from_state(
                header["network"],
                {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)},
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise io.ModelFileError(f"{path} does not describe a network: {error}") from error
