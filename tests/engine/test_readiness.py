"""A readiness check, evaluated: an applicant's work goes through both containers and comes out as bars, held or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from django.test import Client

from practicum.config.demo import material
from practicum.config.management.commands.seed_demo import PROJECTS, QUICKEST_CHECKS, published
from practicum.engine.docker import DockerEngine
from practicum.evaluation import services, tasks
from practicum.internships.applications import Answers, apply
from practicum.internships.models import Application
from practicum.internships.readiness import set_checks, start_check
from practicum.internships.readiness_models import CheckAttempt, CohortCheck
from practicum.internships.readiness_selectors import standing_of
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source, Submission
from tests.engine import doubling
from tests.unit.submissions import zips

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

EVALUATE = """
import json

class InvalidSubmission(Exception):
    pass

def evaluate(predictions, answers):
    given = json.loads((predictions / "predictions.json").read_text())
    truth = json.loads((answers / "labels.json").read_text())
    bars = {"doubles": sum(a == b for a, b in zip(given["numbers"], truth)) / len(truth), "says_why": given["why"]}
    return {"variant": given["variant"], "accuracy": sum(value >= 0.5 for value in bars.values()) / 2, **bars}
"""
PREDICT = """
import json

def predict(artifact, inputs, out):
    numbers = [2 * n for n in json.loads((inputs / "x.json").read_text())]
    (out / "predictions.json").write_text(json.dumps({{"variant": {variant}, "numbers": numbers, "why": {why}}}))
"""
BARS = [
    {"name": name, "metric": metric, "at_least": 0.5, "gap": gap, "remedy": f"remedy/{metric}.ipynb", "reading": []}
    for name, metric, gap in (
        ("Double", "doubles", "It does not double."),
        ("Say why", "says_why", "No reason is given."),
    )
]
ANSWERS = Answers(
    background="x", hours_a_week=8, prerequisites=[], hardware="none", hardware_note="", wishes=[], wishes_note="", ranking=[]
)  # fmt: skip


@pytest.fixture
def engine(version: Any, settings: Any) -> Iterator[DockerEngine]:
    """The tiny project made a readiness check of two bars, on the real engine."""
    doubling.publish(version, settings=settings)
    version.manifest |= {"readiness": {"prerequisite": "python", "minutes": 30, "variants": 8, "bars": BARS}}
    version.save()
    (version.folder / "project/evaluate.py").write_text(EVALUATE)
    with doubling.left_clean(DockerEngine(), instance=settings.PRACTICUM_INSTANCE) as engine:
        yield engine


@pytest.fixture
def application(engine: DockerEngine, cohort: Any, intern: Any, admin: Any) -> Application:
    """The intern's, to a cohort that asks for the check and is not over by the real clock."""
    now = utc_now()
    cohort.entry, cohort.apply_until = "open", date(now.year + 1, 1, 1)
    cohort.ends_on = cohort.apply_until
    cohort.save()
    set_checks(admin, cohort=cohort, wanted={"digits": "asked"}, now=now)
    return apply(intern, cohort=cohort, answers=ANSWERS, now=now)


def taken(application: Application, *, after: int) -> CheckAttempt:
    check = CohortCheck.objects.select_related("project", "added_by").get()
    return start_check(application.applicant, application=application, check=check, after=after, now=utc_now())


def evaluated(attempt: CheckAttempt, engine: DockerEngine, *, variant: int, why: float) -> Submission:
    """Handed in as ``practicum submit`` does, and evaluated by the worker's own code."""
    code = PREDICT.format(variant=variant, why=why).encode()
    submission = services.hand_in(
        attempt.internship,
        archive=zips.zip_of({"predict.py": code}),
        source=Source.TERMINAL,
        actor=attempt.application.applicant,
        now=utc_now(),
    )
    assert tasks.claim_and_run(utc_now(), engine=engine, worker_name="test")
    assert submission.runs.values_list("state", "reason").get() == ("scored", "")
    return submission


def test_the_check_of_machine_learning_names_the_gaps_of_half_done_work(
    application: Application, engine: DockerEngine, admin: Any, settings: Any
) -> None:
    """The project that ships, published, and the work that the demo shows."""
    settings.PRACTICUM_ENV = "demo"
    version = published(PROJECTS / "readiness-ml", by=admin, engine=engine, only=QUICKEST_CHECKS)
    set_checks(admin, cohort=application.cohort, wanted={"readiness-ml": "asked"}, now=utc_now())
    attempt = taken(application, after=0)
    archive = material.check_work(version, variant=attempt.variant)
    services.hand_in(
        attempt.internship, archive=archive, source=Source.BUTTON, actor=application.applicant, now=utc_now()
    )
    assert tasks.claim_and_run(utc_now(), engine=engine, worker_name="test")

    (standing,) = standing_of(application)

    assert standing.best is not None
    held = {result.bar.metric: result.is_held for result in standing.best.results}
    assert held == {"sgd": False, "tune": False, "bag": True, "curve": False}


def test_an_applicant_finds_a_gap_closes_it_and_takes_the_check_again(
    application: Application, engine: DockerEngine, client_of: Callable[[Any], Client]
) -> None:
    first = taken(application, after=0)
    submission = evaluated(first, engine, variant=first.variant, why=0.0)

    (standing,) = standing_of(application)
    assert standing.best is not None
    assert [(result.bar.name, result.is_held) for result in standing.best.results] == [
        ("Double", True),
        ("Say why", False),
    ]
    page = client_of(application.applicant).get(f"/submissions/{submission.pk}/").content.decode()
    assert "No reason is given." in page
    assert "It does not double." not in page

    second = taken(application, after=1)
    evaluated(second, engine, variant=first.variant, why=1.0)
    (standing,) = standing_of(application)
    assert len(standing.counted) == 1, "it was about the numbers of the first attempt"

    evaluated(second, engine, variant=second.variant, why=1.0)
    (standing,) = standing_of(application)
    assert len(standing.counted) == 2
    assert standing.best is not None
    assert standing.best.is_all_held
