"""Networks of whole numbers, retrained where rounding costs more than a contract allows.

`quantize` rounds everything, for small machines; `round_weights` the weights, for people;
`share_weights` leaves each layer few different ones. `count_bits` says how small that is.
"""

from synaprune.quantization._bits import ModelBits, count_bits
from synaprune.quantization._contract import RoundingLoss
from synaprune.quantization._quantize import QuantizedNetwork, quantize
from synaprune.quantization._round_weights import RoundedNetwork, round_weights
from synaprune.quantization._share_weights import SharedNetwork, share_weights

__all__ = [
    "ModelBits", "QuantizedNetwork", "RoundedNetwork", "RoundingLoss", "SharedNetwork",
    "count_bits", "quantize", "round_weights", "share_weights",
]  # fmt: skip
