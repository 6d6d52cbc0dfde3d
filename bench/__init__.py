"""Speed of synaprune beside that of other libraries; see ``python -m bench --help``."""

import os

# OpenBLAS reads it when numpy is imported: how many cycles, as a power of two, its idle threads
# spin. Its default of a tenth of a second would slow down whoever is measured next.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
