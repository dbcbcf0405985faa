"""A cohort of six, from application to certificate: what an admin, two mentors and six people do in their browsers.

Real readiness runs and real evaluations; each of the six hands in twice and is reviewed twice. The tests are the steps of one
walk and run in the order they are written (``-p no:randomly``).
"""

from __future__ import annotations

import io
import json
import re
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import PASSWORD, ROOT, RunningDemo, rows
from tests.e2e.test_walk import ALL_ZEROS, SCORE_MS, decide, upload, work
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.e2e

COHORT = "/cohorts/six/"
SIX = ("Alma Ost", "Bela Kis", "Cleo Roy", "Davi Lima", "Edda Holm", "Femi Ade")
OFFERS = (("digits", "mira"), ("features-without-labels", "otto"))
CHECK = "readiness-python"
SECRET = "three unrelated words"
WRONG = "Always zero: the control."


def username_of(name: str) -> str:
    """``alma`` for Alma Ost."""
    return name.split()[0].lower()


@pytest.fixture(scope="module")
def windows(browser: Browser, demo: RunningDemo) -> Iterator[dict[str, Page]]:
    """A browser of their own for each person, which stays open from step to step."""
    contexts: list[BrowserContext] = []

    def window() -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(20_000)
        contexts.append(context)
        return context.new_page()

    made = {username_of(name): window() for name in SIX} | {name: window() for name in ("ada", "mira", "otto")}
    for name in ("ada", "mira", "otto"):
        page = made[name]
        page.goto(f"{demo.site}/sign-in/")
        page.fill("input[name=account]", name)
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{demo.site}/")
    yield made
    for context in contexts:
        context.close()


def confirmed(page: Page, button: str) -> None:
    """Press a button that asks back, and say yes."""
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("dialog[open]").get_by_role("button", name=button, exact=True).click()


def test_an_admin_opens_a_cohort_with_two_projects_and_a_check(demo: RunningDemo, windows: dict[str, Page]) -> None:
    ada, today = windows["ada"], date.today()
    ada.goto(f"{demo.site}/people/cohorts/new/")
    ada.get_by_label("Name", exact=True).fill("Cohort of six")
    ada.get_by_label("Short name").fill("six")
    ada.get_by_label("First day").fill(today.isoformat())
    ada.get_by_label("Last day").fill((today + timedelta(days=55)).isoformat())
    ada.locator("main form button[type=submit]").last.click()
    ada.goto(f"{demo.site}{COHORT}settings/")
    ada.get_by_label("Applications").select_option("open")
    ada.get_by_label("Apply until").fill((today + timedelta(days=2)).isoformat())
    ada.get_by_label("Places", exact=True).first.fill("6")
    ada.get_by_role("button", name="Save the settings").click()
    expect(ada.get_by_text("The settings are saved.")).to_be_visible()
    for project, mentor in OFFERS:
        ada.get_by_label("Project", exact=True).select_option(project)
        ada.get_by_label("Mentor").select_option(mentor)
        ada.locator("form", has=ada.get_by_role("button", name="Offer it")).get_by_label("Places").fill("3")
        ada.get_by_role("button", name="Offer it").click()
        expect(ada.get_by_role("button", name=re.compile(f"Withdraw.*{mentor}", re.I))).to_be_visible()
    ada.get_by_label(re.compile("Ready for Python")).select_option("asked")
    ada.get_by_role("button", name="Save the checks").click()
    expect(ada.locator("main")).to_contain_text(re.compile("saved", re.I))


@pytest.mark.parametrize("name", SIX)
def test_one_of_six_signs_up_applies_and_takes_the_check(
    name: str, demo: RunningDemo, windows: dict[str, Page], tmp_path: Path
) -> None:
    username = username_of(name)
    page = windows[username]
    page.goto(f"{demo.site}{COHORT}sign-up/")
    page.get_by_label("Your e-mail address").fill(f"{username}@example.org")
    page.get_by_role("button", name="Mail me the link").click()
    page.get_by_role("link", name="Make the account").click()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(SECRET)
    page.get_by_label("Password again").fill(SECRET)
    page.get_by_role("button", name="Make the account").click()
    page.get_by_label("Your background").fill("I have trained small networks.")
    page.get_by_label("Hours a week").fill("12")
    page.get_by_label("Hardware of your own").select_option("laptop")
    first, second = (project for project, _ in (OFFERS if SIX.index(name) % 2 else OFFERS[::-1]))
    page.get_by_label("First choice").select_option(first)
    page.get_by_label("Second choice").select_option(second)
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_text("Your application is sent.")).to_be_visible()

    page.locator(f"#check-{CHECK}").get_by_role("button", name="Take it").click()
    page.wait_for_url("**/notebook/")
    query = (
        "SELECT a.variant FROM internships_checkattempt a JOIN internships_application p ON p.id = a.application_id "
        f"JOIN accounts_user u ON u.id = p.applicant_id WHERE u.username = '{username}'"
    )
    ((variant,),) = rows(demo, query)
    upload(page, demo, one_bar_of(demo, variant=variant, folder=tmp_path / "work"))
    page.wait_for_url(re.compile(r"/submissions/\d+/"))
    expect(page.get_by_text("Scored", exact=True).first).to_be_visible(timeout=SCORE_MS)
    page.goto(f"{demo.site}{COHORT}apply/")
    check = page.locator(f"#check-{CHECK}")
    expect(check).to_contain_text("1 of 4 bars held")
    expect(check.get_by_role("link", name=re.compile("notebook that helps"))).to_have_count(3)


def one_bar_of(demo: RunningDemo, *, variant: int, folder: Path) -> bytes:
    """What somebody hands in who mended one of the check's four things, for the numbers they were given."""
    baseline = runpy.run_path(str(ROOT / "projects" / CHECK / "baseline.py"))
    train = baseline["train"]
    train.__globals__["VARIANT"] = variant
    train(demo.data_dir / "catalog" / CHECK / "1" / "public", folder, 60.0)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(folder).as_posix())
    return stream.getvalue()


def test_six_get_a_place_on_what_was_seen_of_them(demo: RunningDemo, windows: dict[str, Page]) -> None:
    ada = windows["ada"]
    for name in SIX:
        ada.goto(f"{demo.site}{COHORT}applications/")
        ada.get_by_role("link", name=name).click()
        expect(ada.locator("main")).to_contain_text(re.compile("1 of 4", re.I))
        ada.get_by_role("button", name="Offer a place").click()
        expect(ada.get_by_text(f"{name} has a place.")).to_be_visible()


def test_mentors_rank_and_the_matching_makes_six_internships(demo: RunningDemo, windows: dict[str, Page]) -> None:
    for mentor in ("mira", "otto"):
        page = windows[mentor]
        page.goto(f"{demo.site}{COHORT}ranking/")
        for rank, name in enumerate(SIX if mentor == "mira" else SIX[::-1], start=1):
            page.get_by_label(f"Rank of {name}").fill(str(rank))
        page.get_by_role("button", name="Save the order").click()
        expect(page.get_by_text("Your order is saved.")).to_be_visible()
    ada = windows["ada"]
    ada.goto(f"{demo.site}{COHORT}matching/")
    ada.get_by_role("button", name="Propose").click()
    expect(ada.get_by_text("The proposal is made: 6 placed.")).to_be_visible()
    confirmed(ada, "Begin the internships")
    expect(ada.get_by_text("6 internships begun.")).to_be_visible()


def hand_in(page: Page, demo: RunningDemo, *, content: bytes) -> None:
    """Upload and wait for the score."""
    upload(page, demo, content)
    page.wait_for_url(re.compile(r"/submissions/\d+/"))
    expect(page.get_by_text("Scored", exact=True).first).to_be_visible(timeout=SCORE_MS)


def project_of(demo: RunningDemo, username: str) -> tuple[str, str, int]:
    """Project, mentor and number of a person's internship."""
    query = (
        "SELECT p.slug, m.username, i.id FROM internships_internship i JOIN accounts_user u ON u.id = i.intern_id "
        "JOIN accounts_user m ON m.id = i.mentor_id JOIN catalog_projectversion v ON v.id = i.version_id "
        f"JOIN catalog_project p ON p.id = v.project_id WHERE u.username = '{username}' AND i.purpose = 'internship'"
    )
    ((slug, mentor, number),) = rows(demo, query)
    return slug, mentor, number


def work_for(demo: RunningDemo, slug: str, *, report: str) -> bytes:
    """Work on the project: for digits a control, for the other its baseline as it was handed in when it was published."""
    if slug == "digits":
        return work(predict__py=ALL_ZEROS, report__md=report)
    query = (
        "SELECT s.digest FROM submissions_submission s JOIN catalog_projectversion v ON v.id = s.version_id "
        f"JOIN catalog_project p ON p.id = v.project_id WHERE p.slug = '{slug}' AND s.internship_id IS NULL"
    )
    ((digest,),) = rows(demo, query)
    folder, stream = demo.data_dir / "submissions" / digest[:2] / digest, io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name != "report.md":
                archive.write(file, file.relative_to(folder).as_posix())
        archive.writestr("report.md", report)
    return stream.getvalue()


@pytest.mark.parametrize("name", SIX)
def test_one_of_six_is_reviewed_twice_and_completed(name: str, demo: RunningDemo, windows: dict[str, Page]) -> None:
    intern = windows[username_of(name)]
    slug, mentor_name, internship = project_of(demo, username_of(name))
    mentor = windows[mentor_name]
    hand_in(intern, demo, content=work_for(demo, slug, report=f"# Round 1 of {name}\n\n{WRONG}"))
    mentor.goto(f"{demo.site}/review/")
    mentor.get_by_role("link", name=name).first.click()
    decide(mentor, "Ask for changes")
    expect(mentor.locator("main")).to_contain_text("Changes asked for")
    hand_in(intern, demo, content=work_for(demo, slug, report=f"# Round 2 of {name}\n\nNow with its limits."))
    mentor.goto(f"{demo.site}/review/")
    mentor.get_by_role("link", name=name).first.click()
    decide(mentor, "Accept")
    expect(mentor.locator("main")).to_contain_text("Accepted")
    mentor.goto(f"{demo.site}/internships/{internship}/")
    while (mark := mentor.get_by_role("button", name=re.compile("Mark as reached"))).count():
        mark.first.click()
        mentor.wait_for_load_state()
    confirmed(mentor, "Complete the internship")
    expect(mentor.locator("main")).to_contain_text(f"The internship of {name} is completed.")


def test_six_certificates_are_issued_and_genuine(demo: RunningDemo, windows: dict[str, Page], tmp_path: Path) -> None:
    query = (
        "SELECT c.id, u.username, m.username, c.state FROM credentials_certificate c "
        "JOIN internships_internship i ON i.id = c.internship_id JOIN internships_cohort k ON k.id = i.cohort_id "
        "JOIN accounts_user u ON u.id = i.intern_id JOIN accounts_user m ON m.id = i.mentor_id WHERE k.slug = 'six'"
    )
    wait_for(lambda: len(rows(demo, query)) == 6, seconds=60, what=lambda: rows(demo, query))
    for certificate, _, mentor, _ in rows(demo, query):
        page = windows[mentor]
        page.goto(f"{demo.site}/certificates/{address_of(certificate)}/")
        if page.get_by_role("button", name="Issue it before that").count():
            confirmed(page, "Issue it before that")
    wait_for(
        lambda: {state for *_, state in rows(demo, query)} == {"issued"},
        seconds=SCORE_MS / 1000,
        what=lambda: rows(demo, query),
    )
    for certificate, username, _, _ in rows(demo, query):
        page = windows[username]
        page.goto(f"{demo.site}/certificates/")
        page.locator(f"main a[href*='{address_of(certificate)}']").first.click()
        with page.expect_download() as started:
            page.get_by_role("link", name="Signed document").click()
        file = tmp_path / f"{username}.json"
        started.value.save_as(file)
        record = json.loads(file.read_text())["credentialSubject"]["record"]
        assert record["score"]["executed_again"] is True
        assert address_of(certificate) in file.read_text()
        issuer = page.request.get(f"{demo.site}/issuer/")
        assert issuer.ok
        (tmp_path / "issuer.json").write_bytes(issuer.body())
        verified = _verify(file, issuer=tmp_path / "issuer.json")
        assert verified.returncode == 0, verified.stdout
        record["score"]["value"] = 1.0
        forged = json.loads(file.read_text()) | {}
        forged["credentialSubject"]["record"] = record
        (tmp_path / "forged.json").write_text(json.dumps(forged))
        assert _verify(tmp_path / "forged.json", issuer=tmp_path / "issuer.json").returncode == 1


def address_of(hexadecimal: str) -> str:
    """SQLite keeps a UUID without its hyphens."""
    digits = hexadecimal.replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _verify(file: Path, *, issuer: Path) -> subprocess.CompletedProcess[str]:
    """Without the site: the one program that a visitor can download."""
    program = ROOT / "platform" / "practicum" / "credentials" / "offline" / "verifier.py"
    command = [sys.executable, str(program), str(file), "--issuer", str(issuer)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
