"""A real Chromium for the tests of pages, and what a user does in it. Without one these tests are skipped."""
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--window-size=1280,820")


@contextmanager
def chromium(folder, *flags):
    """A Chromium whose downloads lie in a folder, `downloads`; it logs messages of the console and what goes over the network."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    driver = shutil.which("chromedriver")
    if not (BROWSER and driver):
        pytest.skip("no Chromium with its chromedriver here (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", *flags):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.downloads = folder
    try:
        yield chrome
    finally:
        chrome.quit()


def drag(browser, start, way, kind="mouse"):
    """Press at a place of the screen, move by `way`, let go."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    steps = ActionBuilder(browser, mouse=PointerInput(kind, kind), duration=20)
    finger = steps.pointer_action
    finger.move_to_location(*map(round, start)).pointer_down()
    finger.move_to_location(*(round(a + b / 2) for a, b in zip(start, way)))
    finger.move_to_location(*(round(a + b) for a, b in zip(start, way))).pointer_up()
    steps.perform()


def place_of(browser, joint):
    """Where a joint of the page of joints is on the screen, from the frame's corner."""
    return np.array(browser.execute_script("const dots = document.querySelectorAll('.joint .dot'),"
                                           "r = dots[arguments[0]].getBoundingClientRect();"
                                           "return [r.x + r.width / 2, r.y + r.height / 2]", joint))
