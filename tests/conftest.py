"""How properties are searched, and where MNIST and the public tables are."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A run in the background may inherit an ignored Ctrl-C, which the tests of interrupts then send
# in vain; a handler set here is also what processes started from here get back.
signal.signal(signal.SIGINT, signal.default_int_handler)

CI = os.environ.get("CI") == "true"

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if CI else "dev")


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder that holds MNIST's four IDX files, gzipped."""
    return _folder("mnist", "train-images-idx3-ubyte.gz", "MNIST")


@pytest.fixture(scope="session")
def tables_dir():
    """The folder that holds public tables as CSV, gzipped."""
    return _folder("tables", "fruit.csv.gz", "tables")


def _folder(name, file, what):
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    for folder in filter(None, (os.environ.get("SYNAPRUNE_DATA_DIR"), shared)):
        for place in (Path(folder, name).resolve(), Path(folder).resolve()):
            if (place / file).is_file():
                return place
    reason = f"no {what}: set SYNAPRUNE_DATA_DIR to a folder with {name}/*.gz"
    if CI:
        pytest.fail(reason)
    pytest.skip(reason)
