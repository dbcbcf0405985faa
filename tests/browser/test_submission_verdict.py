"""A submission's page in Chromium, with seeds, a verdict, its memory and two results; on a phone it keeps its width."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from practicum.evaluation.models import Run, Score
from tests.browser.conftest import LOOKS
from tests.unit.portal.conftest import seeded

__all__ = ["seeded"]

pytestmark = pytest.mark.browser
GIBIBYTE = 1024**3


@pytest.fixture
def submission(people: dict[str, Any], hand_in: Any, seeded: Any, now: Any) -> Any:
    """Five seeds against the baseline's five, two evaluations, a curve with a GPU."""
    internship = people["internship"]
    version = internship.version
    version.manifest["evaluation"] = {"seeds": 5, "retrain": True}
    version.save()
    baseline = hand_in(None, number=1, version=version, value=0.85)
    row = hand_in(internship, number=1, value=0.9, finished_at=now, processor_seconds=190.0)
    seeded(baseline, [0.84, 0.86, 0.85, 0.83, 0.87])
    seeded(row, [0.90, 0.91, 0.89, 0.88, 0.92])
    memory = [[second, min(second, 20) * GIBIBYTE // 10] for second in range(60)]
    gpu = [[float(second), 80 if second > 10 else None, GIBIBYTE] for second in range(0, 60, 5)]
    Run.objects.filter(submission=row).update(attempt=2, curve={"memory": memory, "gpu": gpu}, evaluate_digest="e" * 64)
    first = Run.objects.create(
        submission=row, attempt=1, state="scored", queued_at=now, deadline=now + timedelta(hours=1)
    )
    Score.objects.create(run=first, value=0.88, metrics={"accuracy": 0.88}, scored_at=now)
    return row


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_the_verdict_its_test_the_seeds_and_the_curve_are_read(
    submission: Any, visit: Callable[..., Any], phone: bool, dark: bool
) -> None:
    window = visit("intern", phone=phone, dark=dark)
    page = window.go(f"/submissions/{submission.pk}/")
    page.locator("#run-curve").wait_for()
    page.get_by_text("How this was decided").focus()
    page.keyboard.press("Enter")
    page.get_by_text("The 5 seeds").click()

    assert page.get_by_text("Better than the baseline", exact=True).is_visible()
    assert page.get_by_text("paired t-test over seeds").is_visible()
    assert page.locator(".verdict").get_by_role("link").get_attribute("href") == "https://doi.org/10.1093/biomet/6.1.1"
    assert page.locator("#results tbody tr").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert window.complaints == []
