"""No test reads where the user keeps data."""

import pytest


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("SYNAPRUNE_DATA_DIR", "SYNAPRUNE_MNIST_URL"):
        monkeypatch.delenv(name, raising=False)
