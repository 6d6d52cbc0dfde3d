"""Networks to report, and a browser to open the pages in."""

import shutil

import numpy as np
import pytest
import synaprune as sn


@pytest.fixture(scope="session")
def digits():
    return sn.datasets.digits()


@pytest.fixture(scope="session")
def digits_path(digits):
    net = sn.SparseMLP((64, 12, 10), seed=0).fit(
        *digits.train, training=sn.Training(40, batch_size=16)
    )
    return sn.prune(
        net, *digits.train, validation=digits.validation, n_synapses=150, training=sn.Training(20)
    )


@pytest.fixture(scope="session")
def named():
    """Make a trained network of three classes and four inputs, with names to choose, and X, y."""

    def make(labels=("a", "b", "c"), names=("w", "x", "y", "z")):
        rng = np.random.default_rng(0)
        y = np.arange(150) % 3
        X = rng.normal(0.0, 2.0, (3, 4))[y] + rng.normal(0.0, 0.5, (150, 4))
        net = sn.SparseMLP((4, 5, 3), seed=0)
        net.fit(X, np.array(labels)[y], training=sn.Training(30, batch_size=16))
        net.input_names = names
        return net, X.astype(np.float32), np.array(labels)[y]

    return make


@pytest.fixture(scope="session")
def of_numbers():
    """A pruning path of a network of two numbers, and its samples."""
    X = np.random.default_rng(0).normal(size=(150, 4)).astype(np.float32)
    y = np.column_stack([1e6 * (5.0 + np.abs(X[:, 1])), X[:, 0]])
    net = sn.SparseMLP((4, 6, 2), loss="squared_error", init_scale=0.5, seed=0)
    net.fit(X, y, training=sn.Training(60, batch_size=16, optimizer=sn.SGD(0.05, momentum=0.9)))
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=10, training=sn.Training(10))
    return path, X, y


@pytest.fixture(scope="session")
def chromium():
    """Headless Chromium, started once; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("no chromium and chromedriver on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def browse(chromium):
    """Open a page in a tab of its own, which leaves nothing of the tab before it."""

    def opened(page, width=1200, height=900, scheme="light"):
        before = chromium.current_window_handle
        chromium.switch_to.new_window("tab")
        ours = chromium.current_window_handle
        chromium.switch_to.window(before)
        chromium.close()
        chromium.switch_to.window(ours)
        chromium.get_log("browser")  # what it returns, it forgets
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        # Only the first tab has the window's focus, without which no element is told of its own.
        chromium.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        chromium.execute_cdp_cmd("Network.enable", {})
        chromium.get(page.absolute().as_uri())
        return chromium

    return opened
