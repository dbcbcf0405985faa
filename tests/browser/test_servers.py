"""The admin's pages of servers, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.gpus import servers
from practicum.gpus.inventory import Instance
from practicum.gpus.models import Slot
from practicum.gpus.tokens import make_token
from practicum.lib.clock import utc_now
from tests.browser.conftest import faults_on_a_phone
from tests.unit.gpus.conftest import GB, gpu, lease_on, report

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]
PAGES = ["/gpus/", "/gpus/servers/", "/gpus/servers/new/", "/gpus/servers/well/", "/gpus/servers/silent/"]
PAGES += ["/gpus/servers/drained/"]
NAME = "GPU-8d1a2f3c-0000-4000-8000-00000000000{}"


@pytest.fixture
def farm(people: dict[str, Any]) -> datetime:
    """A server that is well but for one GPU, a silent one with a lease, and a drained one with a shared GPU."""
    now = utc_now()
    instances = (Instance("MIG-8d1a2f3c-0000-4000-8000-000000000009", 3, "1g.10gb", 10 * GB, 0),)
    gpus = (gpu(0, uuid=NAME.format(0)), gpu(1, fault="Lost."), gpu(2, uuid=NAME.format(2), instances=instances))
    make_token(report(*gpus, server="well", now=now), actor=people["admin"], now=now)
    silent = report(gpu(3), server="silent", now=now - timedelta(minutes=4))
    lease_on(Slot.objects.get(server=silent), people["intern"], now=now)
    report(gpu(4), server="drained", now=now)
    servers.drain_server("drained", finish_within=None, actor=people["admin"], now=now)
    servers.set_shares("drained", gpu="GPU-00000004", shares=4, actor=people["admin"], now=now)
    return now


def test_the_pages_of_servers_are_quiet_and_fit_a_phone(farm: datetime, visit: Callable[..., Any]) -> None:
    assert faults_on_a_phone(visit, "admin", PAGES) == []


def test_a_server_is_added_and_its_command_fits_a_phone(farm: datetime, visit: Callable[..., Any]) -> None:
    page = visit("admin", phone=True, scripts=False).go("/gpus/servers/new/")
    page.fill("input[name=name]", "gpu-9")
    page.click("main button[type=submit]")
    assert "practicum_hub.agent" in page.locator("[data-command]").inner_text()


def test_a_silent_server_is_given_up_after_two_confirmations(farm: datetime, visit: Callable[..., Any]) -> None:
    window = visit("admin")
    page = window.go("/gpus/servers/silent/")
    page.click("text=Give silent up")
    # Without the tick, the browser itself asks for it.
    assert page.locator("dialog.confirm[open]").count() == 0
    page.check("#is-off")
    page.click("text=Give silent up")
    page.click("dialog.confirm button:has-text('Give it up')")
    page.wait_for_selector("text=silent is given up; 1 lease ended.")
    assert window.complaints == []


def test_a_server_that_reports_again_is_shown_so_without_a_reload(farm: datetime, visit: Callable[..., Any]) -> None:
    window = visit("admin")
    page = window.go("/gpus/servers/silent/")
    assert page.locator("#server-live .notice-bad").count() == 1
    report(gpu(3), server="silent", now=utc_now())
    page.wait_for_selector("#server-live .notice-bad", state="detached", timeout=15_000)
    assert page.locator("#server-live").count() == 1
    assert window.complaints == []
