"""Handing in from a real JupyterLab: the button, the cell, the terminal; and what the site hears about the session."""

from __future__ import annotations

import contextlib
import json
import subprocess
import zipfile
from io import BytesIO
from typing import Any

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect

from tests.tools.waiting import RanOut, wait_for
from tests.workspace.conftest import Lab

pytestmark = pytest.mark.browser

TOOLBAR_SUBMIT = ".jp-NotebookPanel-toolbar [data-jp-item-name=practicum-submit] jp-button"


def run_cell(page: Page, index: int) -> None:
    """Run a cell; while JupyterLab settles a key may be lost, so press it again until the cell's prompt changes."""
    prompt = page.locator(".jp-Notebook .jp-CodeCell").nth(index).locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(15):
        prompt.click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).not_to_have_text(before, timeout=4000)
            return
    raise RanOut(f"cell {index} does not run")


def find_commands(page: Page, words: str) -> Locator:
    """What the command palette finds; while JupyterLab settles a key may be lost or the palette close, so ask again."""
    labels = page.locator(".lm-CommandPalette-itemLabel")
    search = page.locator(".lm-CommandPalette-input")
    for _ in range(10):
        if not search.is_visible():
            page.keyboard.press("Control+Shift+C")
        with contextlib.suppress(AssertionError, PlaywrightError):
            search.fill(words, timeout=3000)
            expect(labels).not_to_have_count(0, timeout=4000)
            return labels
    raise RanOut(f"the palette finds nothing for {words}")


def test_the_button_hands_in_what_is_on_the_screen_and_the_panel_follows_it(lab: Lab, page: Page) -> None:
    lab.open(page)
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.type("# not saved by hand\n")

    page.locator(TOOLBAR_SUBMIT).click()

    expect(page.get_by_text("Handed in as #3")).to_have_count(2)
    expect(page.locator(".pr-submission").first).to_contain_text("received")
    archive = zipfile.ZipFile(BytesIO(lab.site.archives[2]))
    assert archive.namelist() == ["predict.py", "start.ipynb"]
    assert b"not saved by hand" in archive.read("start.ipynb")
    assert lab.site.sources[2] == "button"

    for _ in range(2):
        lab.site.advance(3)
    expect(page.locator(".pr-submission").first).to_contain_text("running", timeout=10_000)
    lab.site.advance(3, score=0.971)

    row = page.locator(".pr-submission").first
    expect(row).to_contain_text("+0.0210", timeout=10_000)
    expect(page.locator(".pr-best")).to_have_text("0.9710")
    expect(page.get_by_text("accuracy 0.9710 (+0.0210 against the baseline)").first).to_be_visible()


def test_handing_in_the_same_again_opens_a_dialog_with_the_first(lab: Lab, page: Page) -> None:
    lab.open(page)
    submit = page.locator(".pr-panel").get_by_role("button", name="Submit")
    submit.click()
    expect(page.locator(".pr-submission")).to_have_count(3)

    submit.click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Exactly this was already handed in as #3: {lab.site.url}/submissions/3/")
    expect(dialog.get_by_role("button", name="Open #3")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert len(lab.site.submissions) == 3


def test_the_palette_has_both_commands_and_a_missing_predict_is_explained(lab: Lab, page: Page) -> None:
    (lab.project / "predict.py").unlink()
    lab.open(page)

    for _ in range(5):
        labels = find_commands(page, "practicum")
        with contextlib.suppress(AssertionError, PlaywrightError):
            expect(labels).to_have_text(["Practicum: Status", "Practicum: Submit"], timeout=4000)
            labels.nth(1).click(timeout=4000)
            expect(page.get_by_role("dialog")).to_be_visible()
            break  # the palette may close before the click lands
    expect(page.get_by_role("dialog")).to_contain_text("There is no predict.py")
    expect(page.get_by_role("dialog")).to_contain_text("def predict(artifact, inputs, out):")


def test_cells_hand_in_and_answer_where_the_intern_stands(lab: Lab, page: Page) -> None:
    lab.open(page)

    run_cell(page, 0)
    output = page.locator(".jp-Notebook .jp-CodeCell").nth(0).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("Submission #3 · received", timeout=20_000)
    run_cell(page, 1)
    status = page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
    expect(status).to_contain_text("Beat the baseline, due in 5 days", timeout=20_000)
    run_cell(page, 0)

    expect(output).to_contain_text("already handed in as #3", timeout=20_000)
    assert lab.site.sources[2:] == ["cell"]


def test_the_command_of_the_environment_hands_in(lab: Lab) -> None:
    command = [str(lab.python.parent / "practicum"), "submit", "--json"]

    done = subprocess.run(command, env=lab.environment, cwd=lab.home, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["number"] == 3
    assert lab.site.sources[2:] == ["terminal"]


@pytest.mark.slow
def test_the_site_hears_of_executions_and_processor_time_but_not_of_an_open_page(lab: Lab, page: Page) -> None:
    lab.open(page)
    idle = wait_for(lambda: next((a for a in lab.site.activity if a["kernels"] == 1), None))
    assert idle["busy_kernels"] == 0

    at_rest = idle["last_execution_at"]

    def is_heard() -> bool:
        return any(a["busy_kernels"] and a["last_execution_at"] != at_rest for a in lab.site.activity)

    for _ in range(4):
        run_cell(page, 2)
        with contextlib.suppress(RanOut):
            wait_for(is_heard, seconds=8.0)
            break  # what is asked before the page is connected to its kernel is dropped
    assert is_heard()
    wait_for(lambda: sum(a["cpu_seconds"] for a in lab.site.activity) > 0.3)
    wait_for(lambda: lab.site.activity[-1]["busy_kernels"] == 0)
    settled = lab.site.activity[-1]["last_execution_at"]
    page.keyboard.press("Escape")
    count = len(lab.site.activity)
    wait_for(lambda: len(lab.site.activity) > count + 4)
    assert lab.site.activity[-1]["last_execution_at"] == settled


def test_terminals_are_counted(lab: Lab) -> None:
    assert lab.request("/api/terminals", method="POST", token=lab.token) == 200

    wait_for(lambda: lab.site.activity and lab.site.activity[-1]["terminals"] == 1)


def test_the_site_hears_when_the_person_committed(lab: Lab) -> None:
    wait_for(lambda: lab.site.activity)
    assert lab.site.activity[-1]["committed_at"] is None
    record = lab.project / ".git" / "logs" / "HEAD"
    record.parent.mkdir(parents=True)
    record.write_text(f"{'0' * 40} {'a' * 40} Ines <ines@example.org> 1773828000 +0000\tcommit (initial): Begin\n")

    wait_for(lambda: lab.site.activity[-1]["committed_at"] == "2026-03-18T10:00:00+00:00")


def test_a_warning_of_the_site_is_shown(lab: Lab, page: Page) -> None:
    lab.site.warning = "Nothing has run for 20 minutes."
    wait_for(lambda: lab.site.activity)
    lab.open(page)

    expect(page.locator(".pr-panel [role=alert]")).to_contain_text("Nothing has run for 20 minutes. It stops at")
    expect(page.locator(".Toastify__toast", has_text="Nothing has run for 20 minutes.")).to_be_visible()


def test_the_panel_is_open_at_the_first_visit_and_afterwards_as_it_was_left(lab: Lab, page: Page) -> None:
    def kept() -> dict[str, Any]:
        """What JupyterLab keeps of the last visit."""
        files = list((lab.home / ".jupyter/lab/workspaces").glob("*.jupyterlab-workspace"))
        return dict(json.loads(files[0].read_text())["data"]) if files else {}

    lab.open(page)
    page.goto("about:blank")
    assert "practicum:panel-shown" not in kept(), "a visit of a moment is none"
    lab.open(page)
    half_written = (ValueError, KeyError)
    wait_for(lambda: kept()["practicum:panel-shown"], seconds=30, what="the visit counts", not_yet=half_written)

    page.locator(".jp-SideBar.jp-mod-right [data-id=practicum-panel]").click()

    expect(page.locator(".pr-panel")).to_be_hidden()
    is_collapsed = lambda: kept()["layout-restorer:data"]["right"]["collapsed"]  # noqa: E731
    wait_for(is_collapsed, seconds=30, what="the layout is kept", not_yet=half_written)
    page.reload()
    page.wait_for_selector(".jp-NotebookPanel-toolbar [data-jp-item-name=practicum-submit]", timeout=60_000)
    page.wait_for_selector(".pr-panel .pr-title", state="attached")
    expect(page.locator(".pr-panel")).to_be_hidden()


PLACE = {"place": 3, "why": "All 8 slots are held; 2 people of your cohort are before you.", "take_by": None}
WAITING = {"state": "waiting", "headline": "You are 3rd in line for a GPU", "estimate": "Half start by 14:20."} | PLACE
TURN = {"state": "turn", "headline": "It is your turn: GPU 0 is kept for you until 14:30", "estimate": "", "why": ""}


def test_the_panel_tells_of_the_place_in_line_and_moves_with_everything_saved(lab: Lab, page: Page) -> None:
    lab.site.gpu = WAITING
    lab.open(page)
    panel = page.locator(".pr-panel")
    for sentence in (WAITING["headline"], WAITING["estimate"], WAITING["why"]):
        expect(panel.get_by_text(str(sentence))).to_be_visible()
    expect(panel.get_by_role("button", name="Move to the GPU")).to_have_count(0)
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.type("# typed before the turn\n")

    lab.site.gpu = TURN
    panel.get_by_role("button", name="Refresh").click()

    expect(page.locator(".Toastify__toast", has_text=TURN["headline"])).to_be_visible()
    saved = lab.project / "start.ipynb"
    wait_for(lambda: "typed before the turn" in saved.read_text())
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.type("# typed after it\n")
    panel.get_by_role("button", name="Move to the GPU").click()
    page.wait_for_url(f"{lab.site.url}/notebook/?follow=1")
    assert lab.site.moves == 1
    assert "typed after it" in saved.read_text()


def test_a_button_that_is_being_pressed_is_not_exchanged_by_news_that_change_nothing(lab: Lab, page: Page) -> None:
    lab.site.gpu = TURN
    lab.open(page)
    panel = page.locator(".pr-panel")
    button = panel.get_by_role("button", name="Move to the GPU")
    expect(button).to_be_visible()
    updated = panel.get_by_text("Updated").text_content()

    button.hover()
    page.mouse.down()
    expect(panel.get_by_text("Updated")).not_to_have_text(str(updated), timeout=20_000)
    page.mouse.up()

    page.wait_for_url(f"{lab.site.url}/notebook/?follow=1")


def test_a_move_whose_answer_is_lost_leads_to_the_page_that_knows(lab: Lab, page: Page) -> None:
    lab.site.gpu = TURN
    lab.open(page)
    button = page.locator(".pr-panel").get_by_role("button", name="Move to the GPU")
    expect(button).to_be_visible()
    page.route("**/practicum/move*", lambda route: route.abort())

    button.click()

    page.wait_for_url(f"{lab.site.url}/notebook/?follow=1")


def test_a_turn_taken_on_the_site_has_open_files_saved(lab: Lab, page: Page) -> None:
    lab.site.gpu = TURN
    lab.open(page)
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.type("# typed while it was taken\n")

    lab.site.gpu = TURN | {"state": "moving", "headline": "You are moving to GPU 0"}

    saved = lab.project / "start.ipynb"
    wait_for(lambda: "typed while it was taken" in saved.read_text())


def test_a_gpu_that_went_to_somebody_else_is_said_and_nothing_moves(lab: Lab, page: Page) -> None:
    lab.site.gpu = TURN
    lab.open(page)
    button = page.locator(".pr-panel").get_by_role("button", name="Move to the GPU")
    expect(button).to_be_visible()
    lab.site.gpu = None

    button.click()

    expect(page.locator(".Toastify__toast", has_text="Not moved: No GPU is kept for you now.")).to_be_visible()
    expect(button).to_have_count(0)
    assert "/lab" in page.url


def test_without_the_site_the_notebook_still_works_and_says_so(lab: Lab, page: Page) -> None:
    lab.open(page)
    lab.site.refusal = (503, {})

    run_cell(page, 0)
    output = page.locator(".jp-Notebook .jp-CodeCell").nth(0).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("does not answer", timeout=20_000)
    page.locator(".pr-panel").get_by_role("button", name="Refresh").click()
    expect(page.locator(".pr-panel [role=alert]")).to_contain_text("does not answer")
    lab.site.refusal = None
    page.locator(".pr-panel").get_by_role("button", name="Refresh").click()

    expect(page.locator(".pr-panel [role=alert]")).to_have_count(0)
    assert len(lab.site.submissions) == 2


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/practicum/status", "GET"),
        ("/practicum/submit", "POST"),
        ("/practicum/move", "POST"),
        ("/practicum/help/end", "POST"),
    ],
)
def test_a_stranger_on_the_notebooks_address_is_refused(lab: Lab, path: str, method: str) -> None:
    assert lab.request(path, method=method) == 403
    assert len(lab.site.submissions) == 2


def test_another_site_in_the_same_browser_can_not_hand_in(lab: Lab, page: Page) -> None:
    lab.open(page)

    status = page.evaluate("async () => (await fetch('/practicum/submit', {method: 'POST', body: '{}'})).status")

    assert status == 403
    assert len(lab.site.submissions) == 2


def test_nothing_of_jupyterlab_offers_to_reach_out(lab: Lab, page: Page) -> None:
    lab.open(page)

    config = json.loads(page.locator("#jupyter-config-data").inner_text())

    assert "@jupyterlab/apputils-extension:announcements" in config["disabledExtensions"]
    assert "@jupyterlab/extensionmanager-extension" in config["disabledExtensions"]
    assert "Extension Manager is 'readonly'" in lab.log.read_text()


def test_the_panel_and_the_top_bar_say_who_is_in_and_open_files_are_saved_for_who_reads(lab: Lab, page: Page) -> None:
    lab.open(page)
    panel, badge = page.locator(".pr-panel"), page.locator(".pr-badge")
    ask = panel.get_by_role("link", name="Ask for help")
    expect(ask).to_have_attribute("href", f"{lab.site.url}/notebook/help/")
    expect(badge).to_be_hidden()
    refresh = panel.get_by_role("button", name="Refresh")

    lab.site.help = {"state": "asked"}
    refresh.click()
    expect(badge).to_have_text("You asked Mira Mentor for help")
    assert lab.site.shown == {}, "nobody reads yet"
    lab.site.help = {"state": "reading"}
    expect(badge).to_have_text("Mira Mentor reads your notebooks", timeout=15_000)
    wait_for(lambda: lab.site.shown.get("digits/start.ipynb"))
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.type("# shown without a save by hand\n")
    wait_for(lambda: b"shown without a save by hand" in lab.site.shown["digits/start.ipynb"][-1])

    lab.site.help = {"state": "hands_asked"}
    expect(panel.get_by_role("link", name="Answer")).to_have_attribute(
        "href", f"{lab.site.url}/notebook/help/", timeout=15_000
    )
    expect(page.locator(".Toastify__toast", has_text="Mira Mentor asks to work in your notebook.")).to_be_visible()
    lab.site.help = {"state": "hands"}
    expect(badge).to_have_text("Mira Mentor may work in your notebook", timeout=15_000)

    panel.get_by_role("button", name="End the help").click()

    expect(page.locator(".Toastify__toast", has_text="The help has ended.")).to_be_visible()
    expect(badge).to_be_hidden()
    expect(ask).to_be_visible()
    assert lab.site.help == {}


def test_a_notebook_is_shown_again_only_when_it_was_saved_anew(lab: Lab, page: Page) -> None:
    lab.open(page)
    lab.site.help = {"state": "reading"}
    wait_for(lambda: lab.site.shown.get("digits/start.ipynb"))
    count = len(lab.site.activity)

    wait_for(lambda: len(lab.site.activity) > count + 12)

    assert len(lab.site.shown["digits/start.ipynb"]) <= 2
    assert set(lab.site.shown) == {"digits/start.ipynb"}
