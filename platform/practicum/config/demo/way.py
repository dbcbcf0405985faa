"""The demo's next cohort: people have applied, four have a place, one waits, and a proposal is ready to be confirmed; one
of them takes a readiness check.

And the check-ins of Ines and Mira: two weeks are written by both, this week's by Mira only.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from practicum.accounts.models import User
from practicum.catalog.models import ProjectVersion
from practicum.config.demo.opening import open_cohort
from practicum.internships import applications, placements, readiness
from practicum.internships.applications import Answers
from practicum.internships.check_ins import Note, check_in
from practicum.internships.models import Application, CheckIn, Cohort, Internship
from practicum.internships.readiness_models import CheckAttempt
from practicum.internships.readiness_selectors import check_of

DIGITS, FEATURES = "digits", "features-without-labels"
FIRST_CHECK = "readiness-ml"
BASE = Answers(
    background="",
    hours_a_week=12,
    prerequisites=["ml", "python"],
    hardware="laptop",
    hardware_note="",
    wishes=["networks", "research"],
    wishes_note="",
    ranking=[DIGITS, FEATURES],
)
SENT = {
    "nadia": replace(
        BASE,
        background="I taught statistics for three years and read papers on neural networks at night. Now I want to run one.",
        hours_a_week=20,
        wishes=["networks", "gpus", "research"],
    ),
    "emil": replace(
        BASE,
        background="Third year of computer science. I trained a small network on my own photos; it learned the frame.",
        hardware="small",
        hardware_note="GTX 1650, 4 GB",
        prerequisites=["ml", "python", "cuda"],
        wishes=["tuning", "gpus"],
    ),
    "hana": replace(
        BASE,
        background="I write software for a hospital. I know Python well and machine learning from one course.",
        hours_a_week=8,
        prerequisites=["python"],
        wishes=["optimisation", "ensembles", "networks"],
        ranking=[FEATURES, DIGITS],
    ),
    "jonas": replace(
        BASE,
        background="A physicist who fits curves all day and wonders what a network would say.",
        hours_a_week=15,
        hardware="middle",
        prerequisites=["python", "cuda"],
        wishes=["optimisation", "preparation"],
        ranking=[DIGITS],
    ),
    "leila": replace(
        BASE,
        background="I finished school this summer and won our contest in programming.",
        hours_a_week=25,
        hardware="none",
        prerequisites=["python"],
        wishes=["networks", "packages"],
    ),
    "pedro": replace(
        BASE,
        background="I come from design and have worked through two online courses.",
        hours_a_week=6,
        prerequisites=[],
        wishes=["preparation", "networks", "packages"],
        ranking=[],
    ),
}
SEATED = ("nadia", "emil", "hana", "jonas", "leila")
ORDERS = {"mira": ("emil", "nadia", "jonas", "hana"), "otto": ("hana", "nadia", "emil")}


def upcoming_cohort(
    people: dict[str, User], *, versions: dict[str, ProjectVersion], today: date, now: datetime
) -> Cohort:
    """The cohort that begins in six weeks, with its applications and the proposal; made once."""
    found = Cohort.objects.filter(slug="winter").first()
    if found is not None:
        return found
    cohort = open_cohort(
        people["ada"],
        slug="winter",
        name="Winter cohort",
        starts_on=today + timedelta(days=7 - today.weekday(), weeks=5),
        apply_until=today + timedelta(weeks=3),
        capacity=4,
        offers=[(versions[DIGITS].project, people["mira"]), (versions[FEATURES].project, people["otto"])],
        places=2,
        now=now,
    )
    _admit(cohort, people=people, now=now)
    return cohort


def _admit(cohort: Cohort, *, people: dict[str, User], now: datetime) -> None:
    sent: dict[str, Application] = {}
    for minute, (name, answers) in enumerate(SENT.items()):
        at = now - timedelta(minutes=60 - minute)
        sent[name] = applications.apply(people[name], cohort=cohort, answers=answers, now=at)
    for name in SEATED:
        applications.offer_place(people["ada"], application=sent[name], now=now)
    for mentor, names in ORDERS.items():
        ranked = [sent[name].pk for name in names]
        placements.rank_applicants(people[mentor], cohort=cohort, ranked=ranked, now=now)
    placements.propose(people["ada"], cohort=cohort, now=now)


def begun_check(
    cohort: Cohort, *, checks: list[ProjectVersion], people: dict[str, User], now: datetime
) -> CheckAttempt | None:
    """The cohort asks for these checks, and Nadia takes that of machine learning; made once. None where there is none."""
    found = CheckAttempt.objects.filter(application__cohort=cohort).select_related("internship__version__project")
    if found.exists() or not checks:
        return found.filter(project__slug=FIRST_CHECK).order_by("pk").first()
    wanted = {version.project.slug: "asked" for version in checks}
    readiness.set_checks(people["ada"], cohort=cohort, wanted=wanted, now=now)
    nadia = people["nadia"]
    application = Application.objects.get(cohort=cohort, applicant=nadia)
    if FIRST_CHECK not in wanted:
        return None
    return readiness.start_check(
        nadia, application=application, check=check_of(cohort, slug=FIRST_CHECK), after=0, now=now
    )


def check_ins(internship: Internship, *, now: datetime) -> None:
    """Two weeks by both sides, this week's by the mentor; written once."""
    if CheckIn.objects.filter(internship=internship).exists():
        return
    first = Note("The notebook runs, and I know what the baseline does.", "Hand in the baseline as it is.", "")
    reply = Note("You asked the right question about the split.", "Read the first score together.", "")
    second = Note("The loss still falls at the end.", "Train longer and look at both curves.", "How long is long?")
    answer = Note("Good that you looked at the curve first.", "One change at a time.", "")
    for weeks, interns, mentors in ((2, first, reply), (1, second, answer)):
        at = now - timedelta(weeks=weeks)
        check_in(internship.intern, internship=internship, note=interns, now=at)
        check_in(internship.mentor, internship=internship, note=mentors, now=at + timedelta(hours=3))
    note = Note("I have your submission and look at it today.", "Talk about the control.", "")
    check_in(internship.mentor, internship=internship, note=note, now=now)
