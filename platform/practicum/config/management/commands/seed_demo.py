"""``practicum seed_demo``: fill in the demo's scenario. What is there already is left alone, so it can be run again.

Nothing is inserted that did not happen: projects are published by the code that publishes, submissions are handed in and
evaluated by the worker that runs beside this command, reviews are decided by the service mentors use.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from practicum.accounts.models import User
from practicum.catalog.models import Mode, ProjectVersion
from practicum.catalog.services import check_in_containers, publish, published_as
from practicum.config.demo import material, way
from practicum.config.demo.cast import CAST, PLACES
from practicum.config.demo.people import account
from practicum.config.engine import site_engine
from practicum.credentials.models import CertificateState
from practicum.credentials.selectors import certificate_of
from practicum.credentials.services import allow_early
from practicum.credentials.tasks import begin
from practicum.engine import Engine
from practicum.evaluation.baselines import evaluate_baseline
from practicum.evaluation.models import OPEN_RUN_STATES, Run
from practicum.evaluation.services import hand_in
from practicum.internships.models import Cohort, Internship
from practicum.internships.readiness_models import CheckAttempt
from practicum.internships.services import complete_internship, reach_milestone, start_internship
from practicum.lib.clock import utc_now
from practicum.lib.notebooks import nbformat
from practicum.reviews.services import comment, decide, open_review
from practicum.submissions.models import Source, Submission
from practicum.workspaces.services import open_notebook

PROJECTS = Path(__file__).resolve().parents[5] / "projects"
SLUGS = ("digits", "features-without-labels")
CHECKS = sorted(path.name for path in PROJECTS.glob("readiness-*"))
# The demo starts in seconds: what trains, runs the notebook or hands in bad work is left to the project check.
QUICK_CHECKS = (
    "the six files",
    "project.toml",
    "start.ipynb is clean",
    "toy and split repeat",
    "the secret decides",
    "ids and groups are disjoint",
    "nothing leaks",
)
# Readiness checks are asked of applicants beside all this: only what costs no container is looked at.
QUICKEST_CHECKS = QUICK_CHECKS[:3]
EVALUATION_SECONDS = 300
BASELINE_REPORT = """# The baseline, run as it is

I trained the baseline without changing it, to see the same number that the board shows.

What I notice: the loss still falls at the end. Next I want to know whether longer training helps or whether it only
learns the training images better.
"""


class Command(BaseCommand):
    """Fill in the scenario."""

    help = (__doc__ or "").splitlines()[0]

    def add_arguments(self, parser: CommandParser) -> None:
        """``--work none``: people, projects and a cohort, and nothing handed in yet."""
        parser.add_argument("--work", choices=("done", "none"), default="done")

    def handle(self, *_: Any, work: str, **__: Any) -> None:
        """People, projects, a cohort in its third week, and work at different points."""
        if settings.PRACTICUM_ENV != "demo":
            raise CommandError("The demo's people belong in a demo only; PRACTICUM_ENV is not demo.")
        self.engine = site_engine()
        people = {person.username: account(person) for person in CAST}
        if work == "none":
            self.without_work(people)
            return
        with ThreadPoolExecutor(max_workers=len(SLUGS)) as threads:
            preparing = threads.map(lambda slug: self.prepare(slug, by=people["mira"]), SLUGS)
            checks = list(threads.map(lambda slug: self.prepare_check(slug, by=people["mira"]), CHECKS))
            prepared = dict(zip(SLUGS, preparing, strict=True))
        versions = {slug: version for slug, (version, _) in prepared.items()}
        cohort = third_week_cohort(today=utc_now().date())
        interns = {name: self.place(name, people=people, cohort=cohort, versions=versions) for name in PLACES}
        cohort_to_come = self.next_cohort(interns["ines"], people=people, versions=versions)
        check = way.begun_check(cohort_to_come, checks=checks, people=people, now=utc_now())
        with_notebooks = {slug: folder for slug, (_, folder) in prepared.items()}
        self.step("Notebook of ines asked for", lambda: open_notebook(people["ines"], now=utc_now()))
        self.work(interns, people=people, notebooks=with_notebooks, check=check)

    def without_work(self, people: dict[str, User]) -> None:
        """Everybody has a place and a project, and nobody has begun."""
        versions = {slug: self.publish(slug, by=people["mira"]) for slug in SLUGS}
        cohort = third_week_cohort(today=utc_now().date())
        for name in PLACES:
            self.place(name, people=people, cohort=cohort, versions=versions)

    def step(self, title: str, action: Callable[[], Any]) -> Any:
        """Do one thing and say how long it took."""
        began = time.monotonic()
        result = action()
        self.stdout.write(f"  {title} ({time.monotonic() - began:.1f} s)")
        self.stdout.flush()
        return result

    def prepare(self, slug: str, *, by: User) -> tuple[ProjectVersion, Path]:
        """The published version, and its starter notebook as it looks after it was run."""
        try:
            version = self.publish(slug, by=by)
            self.step(f"Baseline of {slug} trained", lambda: self.baseline(version, by=by))
            return version, self.step(
                f"Starter notebook of {slug} run", lambda: kept_start(version, engine=self.engine)
            )
        finally:
            connections.close_all()

    def prepare_check(self, slug: str, *, by: User) -> ProjectVersion:
        """The published version of a readiness check."""
        try:
            return self.publish(slug, by=by, only=QUICKEST_CHECKS)
        finally:
            connections.close_all()

    def publish(self, slug: str, *, by: User, only: Sequence[str] = QUICK_CHECKS) -> ProjectVersion:
        """The published version."""
        version: ProjectVersion = self.step(
            f"Project {slug} published", lambda: published(PROJECTS / slug, by=by, engine=self.engine, only=only)
        )
        return version

    def baseline(self, version: ProjectVersion, *, by: User) -> None:
        """Evaluate the baseline once."""
        if not version.submissions.filter(internship__isnull=True).exists():
            evaluate_baseline(version, engine=self.engine, actor=by, now=utc_now())

    def place(
        self, name: str, *, people: dict[str, User], cohort: Cohort, versions: dict[str, ProjectVersion]
    ) -> Internship:
        """The intern's internship."""
        mentor, slug = PLACES[name]
        found = Internship.objects.filter(intern=people[name]).first()
        return found or start_internship(
            people[name],
            mentor=people[mentor],
            cohort=cohort,
            version=versions[slug],
            actor=people["ada"],
            now=at_week(cohort, week=1),
        )

    def next_cohort(
        self, internship: Internship, *, people: dict[str, User], versions: dict[str, ProjectVersion]
    ) -> Cohort:
        """The next cohort with applications and a proposal, and the check-ins of an internship in this one."""
        now = utc_now()
        cohort: Cohort = self.step(
            "Applications to the winter cohort",
            lambda: way.upcoming_cohort(people, versions=versions, today=now.date(), now=now),
        )
        self.step("Check-ins of ines and mira", lambda: way.check_ins(internship, now=now))
        return cohort

    def work(
        self,
        interns: dict[str, Internship],
        *,
        people: dict[str, User],
        notebooks: dict[str, Path],
        check: CheckAttempt | None,
    ) -> None:
        """Hand in, wait for the scores, review."""

        def start(intern: str) -> Path:
            return notebooks[interns[intern].version.project.slug]

        def neighbour(intern: str) -> Any:
            return material.own_work(
                "digits-neighbour", version=interns[intern].version, notebook=start(intern) / "start.ipynb"
            )

        def first_hour(intern: str) -> Any:
            return material.archive(start(intern) / "submission", notebook=start(intern) / "start.ipynb")

        def same_as_baseline(intern: str) -> Any:
            version = interns[intern].version
            return material.baseline_work(
                version.submissions.get(internship__isnull=True).folder,
                notebook=start(intern) / "start.ipynb",
                report=BASELINE_REPORT,
            )

        sam = self.hand_in_once(interns["sam"], number=1, make=lambda: neighbour("sam"))
        lin = self.hand_in_once(interns["lin"], number=1, make=lambda: first_hour("lin"))
        tomas = self.hand_in_once(
            interns["tomas"],
            number=1,
            make=lambda: material.own_work(
                "features-pca", version=interns["tomas"].version, notebook=start("tomas") / "start.ipynb"
            ),
        )
        ines = self.hand_in_once(interns["ines"], number=1, make=lambda: same_as_baseline("ines"))
        second = self.hand_in_once(
            interns["sam"],
            number=2,
            make=lambda: material.own_work(
                "digits-moved", version=interns["sam"].version, notebook=start("sam") / "start.ipynb"
            ),
        )
        handed_in = [sam, lin, tomas, ines, second, *self.check_of_nadia(check)]
        self.step(f"{len(handed_in)} submissions evaluated", lambda: wait_for_runs(handed_in))
        self.review(sam=second, lin=lin, people=people)
        self.hand_in_once(interns["noor"], number=1, make=lambda: first_hour("noor"))
        self.stdout.write("  Noor has just handed in")

    def check_of_nadia(self, check: CheckAttempt | None) -> list[Submission]:
        """What Nadia handed in to her readiness check: one bar held, and gaps."""
        if check is None:
            return []
        work = check.internship
        return [
            self.hand_in_once(work, number=1, make=lambda: material.check_work(work.version, variant=check.variant))
        ]

    def hand_in_once(self, internship: Internship, *, number: int, make: Callable[[], Any]) -> Submission:
        """The intern's submission of this number; handed in now if it isn't there."""
        found = internship.submissions.filter(number=number).first()
        if found:
            return found
        return hand_in(internship, archive=make(), source=Source.TERMINAL, actor=internship.intern, now=utc_now())

    def review(self, *, sam: Submission, lin: Submission, people: dict[str, User]) -> None:
        """Otto asks Lin for changes on a cell; Mira accepts Sam's work, and the internship is done."""
        now = utc_now()
        if not hasattr(lin, "review"):
            open_review(people["otto"], submission=lin, now=now)
            comment(
                people["otto"],
                submission=lin,
                cell_id=last_plot_cell(lin),
                body="Which of these numbers would change if you shuffled the labels? Show it with one more line in this plot.",
                now=now,
            )
            decide(
                people["otto"],
                submission=lin,
                decision="changes",
                rubric={},
                summary="A good start: it runs and the plot is readable. Before I can follow your claim I need a control.",
                now=now,
            )
        if not hasattr(sam, "review"):
            open_review(people["mira"], submission=sam, now=now)
            points = {
                item["name"]: item["points"] - (position % 2)
                for position, item in enumerate(sam.version.manifest["rubric"])
            }
            decide(
                people["mira"],
                submission=sam,
                decision="accepted",
                rubric=points,
                summary="You found what the network had not seen, and showed it without training one. Well told.",
                now=now,
            )
            assert sam.internship is not None
            for milestone in sam.internship.milestones.filter(reached_at__isnull=True):
                reach_milestone(milestone, actor=people["mira"], now=now)
            complete_internship(sam.internship, actor=people["mira"], now=now)
        assert sam.internship is not None
        certify(sam.internship, mentor=people["mira"])


def certify(internship: Internship, *, mentor: User) -> None:
    """The worker issues the certificate as soon as the work was executed again; the mentor lets it, though the board is open."""
    internship.refresh_from_db()
    begin(internship, now=utc_now())
    certificate = certificate_of(internship.pk)
    if certificate is not None and certificate.state == CertificateState.PREPARING and not certificate.may_be_early:
        allow_early(certificate, actor=mentor, now=utc_now())


def published(directory: Path, *, by: User, engine: Engine, only: Sequence[str] = QUICK_CHECKS) -> ProjectVersion:
    """The project, published now if it isn't there, after the checks that take seconds."""
    there = published_as(directory, mode=Mode.TOY)
    if there is not None:
        return there
    report = check_in_containers(directory, engine=engine, only=only)
    return publish(directory, mode=Mode.TOY, report=report, actor=by, engine=engine, now=utc_now())


def third_week_cohort(*, today: date) -> Cohort:
    """A cohort that began on the Monday two weeks before this week's."""
    found = Cohort.objects.filter(slug="autumn").first()
    if found:
        return found
    monday = today - timedelta(days=today.weekday(), weeks=2)
    return Cohort.objects.create(
        slug="autumn", name="Autumn cohort", starts_on=monday, ends_on=monday + timedelta(weeks=8, days=-3)
    )


def at_week(cohort: Cohort, *, week: int) -> datetime:
    """Noon on the Monday of the cohort's week."""
    return datetime.combine(cohort.starts_on + timedelta(weeks=week - 1), datetime.min.time()).astimezone() + timedelta(
        hours=12
    )


def kept_start(version: ProjectVersion, *, engine: Engine) -> Path:
    """The executed starter notebook and its submission, kept beside the data while the scenario is filled in."""
    kept = settings.PRACTICUM_DATA_DIR / "demo" / f"{version.project.slug}-{version.number}"
    if not kept.exists():
        with material.executed_start(version, engine=engine) as folder:
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(folder, kept)
    return Path(kept)


def last_plot_cell(submission: Submission) -> str:
    """The id of the last cell of the submission's notebook that shows a picture."""
    cells = nbformat.read(  # type: ignore[no-untyped-call]
        submission.folder / submission.notebook, as_version=4
    ).cells
    return str(
        [cell.id for cell in cells if any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))][-1]
    )


def wait_for_runs(submissions: list[Submission]) -> None:
    """Wait until the worker has ended the run of each.

    Raises:
        CommandError: one is still open after the time, with its state.
    """
    until = time.monotonic() + EVALUATION_SECONDS
    open_runs = Run.objects.filter(submission__in=submissions, state__in=OPEN_RUN_STATES)
    while open_runs.exists():
        if time.monotonic() > until:
            raise CommandError(f"Evaluations are still open: {[f'{run}: {run.phase}' for run in open_runs]}")
        time.sleep(0.3)
