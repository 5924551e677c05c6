"""Settings of hypothesis for every mode: compilation and interpretation know no deadline, and a failure comes back.

The profile `brief`, by ``--hypothesis-profile``, is for what has had all examples before (Makefile). And a browser, for
pages as their readers meet them.
"""

import shutil

import pytest
from hypothesis import settings

settings.register_profile("tdu", deadline=None, derandomize=True)
settings.register_profile("brief", settings.get_profile("tdu"), max_examples=25)
settings.load_profile("tdu")


def pytest_collection_modifyitems(items):
    """Long tests first, so that in the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, by Playwright. Of a module, not of the session: while it is open, no other event loop can run."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium: scripts/debian-packages installs it")
    driver = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install 'tdu-ofc[browser]'")
    with driver.sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as opened:
        yield opened
