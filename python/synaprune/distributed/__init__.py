"""One model on many processes: ranks with a part of the rows each, equal bits for any number."""

from synaprune.distributed._communicators import Communicator, TorchCommunicator, rows_of
from synaprune.distributed._exchange import (
    Exchange,
    RankError,
    Ranks,
    exchange_over,
    told_to_others,
)
from synaprune.distributed._rows import ALL, AllRows, ShardedRows

__all__ = [
    "ALL",
    "AllRows",
    "Communicator",
    "Exchange",
    "RankError",
    "Ranks",
    "ShardedRows",
    "TorchCommunicator",
    "exchange_over",
    "rows_of",
    "told_to_others",
]
