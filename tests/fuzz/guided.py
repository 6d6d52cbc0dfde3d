"""A target of `fuzz.readers` under atheris, which steers its draws to code not run yet.

    pip install atheris
    PYTHONPATH=python:tests python -m fuzz.guided model -runs=100000 -timeout=5 -rss_limit_mb=3000

Arguments after the name of the target are libFuzzer's; what it finds is written to a file, which,
given as an argument, is run again.
"""

import contextlib
import random
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["synaprune"]):
    from fuzz.readers import TARGETS


class Draws(random.Random):
    """Draws bits from bytes, then zeros."""

    def __init__(self, content):
        super().__init__(0)
        self._bits = int.from_bytes(content, "little")

    def getrandbits(self, k):
        drawn = self._bits & ((1 << k) - 1)
        self._bits >>= k
        return drawn

    def random(self):
        return self.getrandbits(32) / 2**32


def main():
    """Run the target that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.guided {{{','.join(TARGETS)}}} [option of libFuzzer …]")
    run, documented, *prepare = TARGETS[sys.argv.pop(1)]
    for step in prepare:
        step()
    warnings.simplefilter("ignore")

    def once(content):
        with contextlib.suppress(documented):
            run(Draws(content))

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
