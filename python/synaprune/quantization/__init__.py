"""Networks of whole numbers, retrained where rounding costs more than a contract allows.

`quantize` rounds everything, for small machines; `round_weights` the weights, for people.
"""

from synaprune.quantization._contract import RoundingLoss
from synaprune.quantization._quantize import QuantizedNetwork, quantize
from synaprune.quantization._round_weights import RoundedNetwork, round_weights

__all__ = ["QuantizedNetwork", "RoundedNetwork", "RoundingLoss", "quantize", "round_weights"]
