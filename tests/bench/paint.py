"""How long a mentor looks at nothing: from the click to the first paint of a review in Chromium, and to its notebook.

The demo's own site, its own work, a real Chromium; the notebook was rendered before, as it is for every mentor but the first.
Each round is a browser without a cache; the second page of it is what a mentor sees who goes from review to review. The
limit is 300 ms for the first paint of the second, beyond rendering, which is none here.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.bench.report import heading, percentile, verdict
from tests.e2e.conftest import BROWSER_ARGUMENTS, PASSWORD, RunningDemo, free_demo_port, rows, start_demo

ROUNDS = 20
LIMIT_MS = 300.0
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
NOTEBOOK = "() => performance.getEntriesByType('resource').find(one => one.initiatorType === 'iframe')?.responseEnd"
REVIEWED = (
    "SELECT s.id FROM submissions_submission s JOIN internships_internship i ON i.id = s.internship_id "
    "JOIN accounts_user u ON u.id = i.intern_id WHERE u.username = 'lin'"
)


def main() -> bool:
    """Measure and compare with the limit."""
    heading("First paint of a review in Chromium, its notebook rendered before")
    with tempfile.TemporaryDirectory() as folder:
        demo = start_demo(Path(folder) / "demo", port=free_demo_port())
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER_ARGUMENTS)
                measured = [look(demo, browser) for _ in range(ROUNDS + 1)][1:]  # the first fills the site's caches
                browser.close()
        finally:
            demo.stop()
            demo.forget()
    cold, warm, notebook = ([one[place] for one in measured] for place in range(3))
    for name, values in (("first paint, nothing cached", cold), ("first paint", warm), ("notebook is there", notebook)):
        print(f"  {name:28} median {statistics.median(values):4.0f} ms, 95 % within {percentile(values, 0.95):4.0f} ms")
    return verdict("paint", percentile(warm, 0.95) / LIMIT_MS, limit=1.0)


def look(demo: RunningDemo, browser: Browser) -> tuple[float, float, float]:
    """Milliseconds to the first paint without a cache, with one, and until the notebook has come."""
    ((submission,),) = rows(demo, REVIEWED)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{demo.site}/sign-in/")
    page.fill("input[name=account]", "otto")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{demo.site}/")
    found = []
    for _ in range(2):
        page.goto(f"{demo.site}/review/{submission}/", wait_until="load")
        page.wait_for_function(PAINT)
        page.wait_for_function(NOTEBOOK)
        found.append((float(page.evaluate(PAINT)), float(page.evaluate(NOTEBOOK))))
    context.close()
    return found[0][0], found[1][0], found[1][1]
