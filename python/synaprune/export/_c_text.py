"""C text from Python values: types, literals, tables, and strings that cannot break out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import shown
from synaprune.export._text import filled

_LONGEST_STRING = 4095  # bytes that a C99 compiler has to take
_C_TYPES = {"float32": "float"}


def c_type(dtype: Any) -> str:
    """Return the C type of a NumPy dtype: float, int8_t and so on."""
    kind = np.dtype(dtype).name
    return _C_TYPES.get(kind, f"{kind}_t")


def smallest_unsigned(largest: int) -> Any:
    """Return the smallest unsigned dtype that holds a number."""
    return np.min_scalar_type(largest)


def literal(value: np.generic) -> str:
    """Return a number as C has it; floats are read back to the same bits."""
    return f"{value!s}f" if isinstance(value, np.float32) else str(value)


def string(text: str) -> str:
    """Return a string literal of the UTF-8 bytes; what is not plain stands as octal numbers."""
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > _LONGEST_STRING:
        raise ValueError(
            f"a name has {len(content)} bytes, and C takes {_LONGEST_STRING}: {shown(text)}"
        )
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in content)
    return '"' + "".join(plain) + '"'


class Tables:
    """The static tables of a header, and their bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.n_bytes = 0

    def add(self, what: str, values: NDArray[Any]) -> str:
        """Add a table; returns its name."""
        called = f"{self.name}_{what}"
        head = f"static const {c_type(values.dtype)} {called}[{len(values)}] = {{"
        body = filled(", ".join(map(literal, values)), "  ")
        self.lines += [head, body, "};"]
        self.n_bytes += values.nbytes
        return called
