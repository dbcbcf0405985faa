"""The main job, as people do it: from ``make demo`` to an accepted submission and a slot given back.

Real Chromium, real JupyterHub with DockerSpawner, real containers. The tests of this module are the steps of one walk and
run in the order they are written (``-p no:randomly``).
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.e2e.conftest import ROOT, RunningDemo, rows
from tests.tools import guide
from tests.tools.waiting import RanOut, wait_for

pytestmark = pytest.mark.e2e

LAUNCH_MS = 120_000
RUN_MS = 240_000
SCORE_MS = 120_000
Person = Callable[[str], Page]
INES = "(SELECT id FROM accounts_user WHERE username = 'ines')"
REPORT = "from pathlib import Path; Path('submission/report.md').write_text('# Round {round}'); print('written')"


def open_notebook(page: Page, demo: RunningDemo) -> None:
    """From home to a JupyterLab that shows the starter notebook."""
    page.goto(f"{demo.site}/")
    page.get_by_role("link", name=re.compile("notebook", re.I)).first.click()
    page.wait_for_load_state()
    start = page.get_by_role("button", name="Open notebook")
    if start.count():
        start.click()
    elif "/lab" not in page.url:
        page.locator("main").get_by_role("link", name=re.compile("JupyterLab|notebook", re.I)).first.click()
    page.wait_for_url(re.compile(r"/user/[a-z-]+/lab"), timeout=LAUNCH_MS)
    page.wait_for_selector(
        '.jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=LAUNCH_MS
    )


def choose(page: Page, menu: str, item: str) -> None:
    """Choose from JupyterLab's menu; it closes by itself while the page settles, so open it until the item shows."""
    wanted = page.locator(".lm-Menu-itemLabel:visible", has_text=re.compile(f"^{item}$"))
    for _ in range(10):
        page.get_by_role("menuitem", name=menu, exact=True).click()
        with contextlib.suppress(PlaywrightTimeout):
            wanted.click(timeout=2000)
            return
        page.keyboard.press("Escape")
    raise RanOut(f"{menu} > {item} did not open")


def run_all(page: Page) -> None:
    """Run the notebook in front from top to bottom; a page that settles late loses the word, so say it again."""
    for _ in range(5):
        choose(page, "Run", "Run All Cells")
        begun = page.locator(".jp-Notebook:visible .jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[[*\d]"))
        with contextlib.suppress(PlaywrightTimeout):
            begun.first.wait_for(timeout=10_000)
            return
    raise RanOut("no cell began to run")


def open_terminal(page: Page) -> None:
    """A terminal in front, ready to type in; a page that settles late puts the notebook back in front, so ask again."""
    for _ in range(10):
        choose(page, "File", "New Launcher")
        with contextlib.suppress(PlaywrightTimeout):
            page.locator(".jp-LauncherCard:visible", has_text="Terminal").first.click(timeout=4000)
            page.locator(".jp-Terminal:visible").click(timeout=8000)
            page.wait_for_timeout(2500)  # the shell's prompt is painted on a canvas: there is no text to wait for
            return
    raise RanOut("no terminal came to the front")


def run_cell(page: Page, code: str, *, until: str) -> None:
    """Add a cell below the active one, run ``code`` in it, wait until its output shows ``until``."""
    active = page.locator(".jp-Notebook:visible .jp-Cell.jp-mod-active")
    active.locator(".jp-InputPrompt, .jp-MarkdownOutput").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(code)
    for patience_ms in (20_000, 20_000, SCORE_MS):  # a key pressed while the page settles may be lost
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(active.locator(".jp-OutputArea")).to_contain_text(until, timeout=patience_ms)
            return
    raise RanOut(f"{code!r} never showed {until!r}")


def state_of(demo: RunningDemo, username: str) -> tuple[Any, ...]:
    """Session and lease of a person's last notebook."""
    query = (
        "SELECT s.state, s.reason, l.state FROM workspaces_session s JOIN gpus_lease l ON l.id = s.lease_id "
        f"JOIN accounts_user u ON u.id = s.user_id WHERE u.username = '{username}' ORDER BY s.requested_at DESC LIMIT 1"
    )
    return rows(demo, query)[0]


def test_the_demo_says_where_to_go_and_whom_to_be(demo: RunningDemo) -> None:
    assert demo.site in demo.output
    for username in ("ada", "mira", "ines", "kofi"):
        assert username in demo.output
    assert demo.health()["status"] == "ok"


def test_the_doctor_finds_nothing_ill_but_what_is_the_machines_own(demo: RunningDemo) -> None:
    (line,) = guide.block("doctor", "Look at everything")
    wrapper, verb = line.split()
    assert (ROOT / wrapper).is_file()
    command = [sys.executable, str(ROOT / "manage.py"), verb, "--json"]
    done = subprocess.run(command, env=demo.environment_of("worker"), capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    found = {each["name"]: each["state"] for each in said["findings"]}
    parts = ("database", "migrations", "key of the sign-in", "limits", "seccomp", "site", "hub", "worker")
    assert {name: found[name] for name in parts} == dict.fromkeys(parts, "ok"), said
    ill = {name for name, state in found.items() if state == "mend"}
    assert ill <= {"container engine", "clock", "disk of the site's files", "disk of the engine"}, said
    assert (done.returncode == 1, said["well"]) == (bool(ill), not ill)


def test_an_intern_who_has_not_started_opens_a_notebook_with_one_sign_in(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    expect(page.locator("main")).to_contain_text("Digits that moved")
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    open_notebook(page, demo)
    expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text(re.compile("digits", re.I))
    assert not [url for url in visited if "sign-in" in url or "hub/login" in url]


def test_the_starter_notebook_runs_from_top_to_bottom(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    open_notebook(page, demo)
    run_all(page)
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')];
            return prompts.length > 0 && prompts.every(prompt => /\\[\\d+\\]/.test(prompt.textContent));
        }""",
        timeout=RUN_MS,
    )
    assert page.locator('.jp-Notebook .jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    page.keyboard.press("Control+s")


def test_a_terminal_hands_in_and_says_how_it_stands(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    open_notebook(page, demo)
    for _ in range(5):  # what is typed before the shell listens is lost; handing in the same twice is one submission
        open_terminal(page)
        page.keyboard.type("cd ~/digits; practicum submit > said.txt 2>&1; practicum status >> said.txt 2>&1\n")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: rows(demo, HANDED_IN) == [("terminal",)], seconds=25)
            break
    wait_for(lambda: rows(demo, HANDED_IN) == [("terminal",)], seconds=25)


HANDED_IN = (
    "SELECT s.source FROM submissions_submission s JOIN internships_internship i ON i.id = s.internship_id "
    "JOIN accounts_user u ON u.id = i.intern_id WHERE u.username = 'kofi' ORDER BY s.number"
)


def test_a_cell_hands_in(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    open_notebook(page, demo)
    run_cell(page, "print(open('said.txt').read())", until="Digits that moved")
    run_cell(page, REPORT.format(round=2), until="written")
    run_cell(page, "%practicum submit", until="2")
    wait_for(lambda: rows(demo, HANDED_IN) == [("terminal",), ("cell",)], seconds=60)


def test_a_button_in_jupyterlab_hands_in(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    open_notebook(page, demo)
    run_cell(page, REPORT.format(round=3), until="written")
    page.locator(".jp-NotebookPanel-toolbar:visible").get_by_role("button", name=re.compile("submit", re.I)).click()
    wait_for(lambda: rows(demo, HANDED_IN) == [("terminal",), ("cell",), ("button",)], seconds=60)


def test_the_submission_page_follows_the_run_to_its_score_beside_the_baseline(
    demo: RunningDemo, person: Person
) -> None:
    page = person("kofi")
    page.goto(f"{demo.site}/submissions/")
    page.get_by_role("link", name="Submission 3").first.click()
    main = page.locator("main")
    expect(main).to_contain_text("Received")
    expect(main.get_by_text("Scored", exact=True).first).to_be_visible(timeout=SCORE_MS)
    expect(main).to_contain_text("Baseline")
    expect(main.get_by_role("row", name=re.compile("Kofi"))).to_be_visible()
    page.goto(f"{demo.site}/projects/digits/leaderboard/")
    expect(page.get_by_role("row", name=re.compile("Baseline", re.I)).first).to_be_visible()


def decide(page: Page, button: str) -> None:
    """Give every rubric item its best points, write a summary, press the button and confirm."""
    page.locator("label", has=page.locator("#pane-decide")).click()
    for item in page.locator("fieldset.rubric-item").all():
        item.locator("label.point").last.click()
    page.fill("textarea[name=summary]", f"I would {button.lower()}.")
    page.get_by_role("button", name=button, exact=True).click()
    dialog = page.locator("dialog[open]")
    if dialog.count():
        dialog.get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()


def test_the_mentor_reads_the_notebook_comments_on_a_cell_and_asks_for_changes(
    demo: RunningDemo, person: Person
) -> None:
    page = person("mira")
    page.goto(f"{demo.site}/review/")
    page.get_by_role("link", name="Kofi Mensah").click()
    notebook = page.frame_locator("iframe[name=notebook]")
    expect(notebook.locator("body")).to_contain_text(re.compile("digits", re.I))
    assert page.locator("iframe[name=notebook]").get_attribute("sandbox") == ""
    cell = page.locator(".cell-line").nth(3)
    cell.locator("a.cell-link").click()
    if not cell.locator("details.cell-talk[open]").count():
        cell.locator("summary").first.click()
    cell.locator("textarea[name=body]").fill("Say what you see in this plot.")
    cell.locator("button[type=submit]").first.click()
    expect(page.locator("main")).to_contain_text("Say what you see in this plot.")
    decide(page, "Ask for changes")
    expect(page.locator("main")).to_contain_text("Changes asked for")


def work(**files: str) -> bytes:
    """A zip of text files; ``__`` in a name stands for a dot."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return stream.getvalue()


ALL_ZEROS = """from pathlib import Path
import numpy as np

def predict(artifact: Path, inputs: Path, out: Path) -> None:
    with np.load(inputs / "inputs.npz") as held:
        np.savez(out / "predictions.npz", id=held["id"], label=np.zeros(len(held["id"]), dtype=np.int64))
"""


def upload(page: Page, demo: RunningDemo, content: bytes) -> None:
    """Hand in a file on the site."""
    page.goto(f"{demo.site}/submissions/upload/")
    page.set_input_files("input[type=file]", {"name": "work.zip", "mimeType": "application/zip", "buffer": content})
    page.get_by_role("button", name="Hand in").click()


def test_the_intern_sees_it_and_a_broken_upload_is_refused_with_a_reason(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    expect(page.locator("main")).to_contain_text("Changes asked for")
    page.goto(f"{demo.site}/submissions/")
    page.get_by_role("link", name="Submission 3").first.click()
    page.get_by_role("link", name=re.compile("1 comment")).click()
    expect(page.locator("main")).to_contain_text("Say what you see in this plot.")
    upload(page, demo, b"this is no zip")
    expect(page.locator("[role=alert]").first).to_contain_text(re.compile("zip", re.I))
    upload(page, demo, work(readme__md="nothing to run"))
    expect(page.locator("[role=alert]").first).to_contain_text("predict.py")
    assert len(rows(demo, HANDED_IN)) == 3


def test_the_intern_hands_in_again_by_upload_and_the_mentor_accepts(demo: RunningDemo, person: Person) -> None:
    intern = person("kofi")
    upload(intern, demo, work(predict__py=ALL_ZEROS, report__md="# Round 4\n\nA control: always zero."))
    intern.wait_for_url(re.compile(r"/submissions/\d+/"))
    expect(intern.get_by_text("Scored", exact=True).first).to_be_visible(timeout=SCORE_MS)
    mentor = person("mira")
    mentor.goto(f"{demo.site}/review/")
    mentor.get_by_role("link", name="Kofi Mensah").first.click()
    decide(mentor, "Accept")
    expect(mentor.locator("main")).to_contain_text("Accepted")
    intern.goto(f"{demo.site}/")
    expect(intern.locator("main")).to_contain_text("Accepted")


def test_the_admin_sees_who_holds_what_and_ends_a_session(demo: RunningDemo, person: Person) -> None:
    page = person("ada")
    page.goto(f"{demo.site}/gpus/")
    row = page.get_by_role("row", name=re.compile("Kofi"))
    expect(row).to_contain_text("Autumn cohort")
    expect(row).to_contain_text("slot")
    assert demo.containers(of="kofi")
    row.get_by_role("button", name="End").click()
    dialog = page.locator("dialog[open]")
    if dialog.count():
        dialog.locator("button[type=submit], button.btn-primary, button.btn-danger").last.click()
    wait_for(lambda: state_of(demo, "kofi")[2] == "released", seconds=60)
    assert demo.containers(of="kofi") == []
    intern = person("kofi")
    intern.goto(f"{demo.site}/notebook/")
    expect(intern.get_by_role("button", name="Open notebook")).to_be_visible()
    expect(intern.locator("main")).to_contain_text(re.compile("admin|ended", re.I))


def test_what_an_intern_saved_is_there_again_and_they_stop_it_themselves(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    open_notebook(page, demo)
    run_cell(page, "print(open('submission/report.md').read())", until="Round 3")
    page.goto(f"{demo.site}/notebook/")
    page.get_by_role("button", name=re.compile("Stop")).first.click()
    dialog = page.locator("dialog[open]")
    if dialog.count():
        dialog.locator("button[type=submit], button.btn-primary, button.btn-danger").last.click()
    wait_for(lambda: state_of(demo, "kofi")[::2] == ("stopped", "released"), seconds=60)
    assert demo.containers(of="kofi") == []


def test_an_idle_notebook_is_warned_then_stopped(demo: RunningDemo, person: Person) -> None:
    session = f"SELECT s.id FROM workspaces_session s WHERE s.state = 'running' AND s.user_id = {INES}"
    wait_for(lambda: len(rows(demo, session)) == 1, seconds=90)
    # Nobody waits for its slot, so that it would stay.
    with sqlite3.connect(demo.data_dir / "practicum.sqlite3", timeout=20) as connection:
        connection.execute("UPDATE internships_cohort SET is_idle_kept = 0")
    turn_back(demo, "active_at", minutes=180)
    warned = session.replace("s.id", "s.stop_at IS NOT NULL")
    wait_for(lambda: rows(demo, warned) == [(1,)], seconds=60)
    page = person("ines")
    page.goto(f"{demo.site}/notebook/")
    expect(page.locator("main")).to_contain_text(re.compile("idle|nothing r[au]n", re.I))
    turn_back(demo, "stop_at", minutes=30)
    wait_for(lambda: state_of(demo, "ines")[::2] == ("stopped", "released"), seconds=60)
    assert re.search("idle|nothing r[au]n", state_of(demo, "ines")[1], re.I)


def turn_back(demo: RunningDemo, column: str, *, minutes: int) -> None:
    """Let time pass for the running session of ines: set ``column`` back."""
    with sqlite3.connect(demo.data_dir / "practicum.sqlite3", timeout=20) as connection:
        connection.execute(
            f"UPDATE workspaces_session SET {column} = datetime({column}, '-{minutes} minutes') "
            f"WHERE state = 'running' AND user_id = {INES}"
        )


def test_ctrl_c_stops_all_it_started_containers_too(demo: RunningDemo) -> None:
    children = {name: demo.pid_of(name) for name in ("web", "worker", "hub", "proxy", "agent")}
    demo.stop()
    for pid in children.values():
        with pytest.raises(ProcessLookupError):
            __import__("os").kill(pid, 0)
    assert demo.containers() == []


def test_a_second_demo_keeps_what_people_did(demo: RunningDemo, person: Person) -> None:
    from tests.e2e.conftest import start_demo

    again = start_demo(demo.data_dir, port=demo.port)
    try:
        page = person("kofi")
        expect(page.locator("main")).to_contain_text("Accepted")
        assert "Project digits published" not in again.output
    finally:
        again.stop()


def test_a_busy_port_is_told_in_one_sentence(demo: RunningDemo) -> None:
    import socket

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        result = subprocess.run(
            ["python3", "deploy/demo.py", "--port", str(demo.port), "--data-dir", str(demo.data_dir)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert f"Port {demo.port} is taken" in result.stderr
    assert "Traceback" not in result.stderr
