"""Photograph a report as a browser shows it; needs selenium, chromium and chromedriver.

python -m bench.screenshot mnist.html docs/report.png --hover 1:5
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By


def main() -> None:
    """Open the page, hover over a neuron, and write a PNG."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("png", type=Path)
    parser.add_argument("--hover", help="neuron to hover over, COLUMN:NUMBER; inputs are column 0")
    parser.add_argument("--size", type=int, nargs=2, default=(1180, 1240), metavar=("W", "H"))
    args = parser.parse_args()
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or ""
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    width, height = args.size
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(args.page.absolute().as_uri())
    if args.hover:
        neuron = browser.find_element(By.CSS_SELECTOR, f'[data-key="{args.hover}"]')
        ActionChains(browser).move_to_element(neuron).pause(0.3).perform()
    browser.save_screenshot(str(args.png))
    browser.quit()


if __name__ == "__main__":
    main()
