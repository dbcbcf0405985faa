"""The launch page while somebody waits for a GPU and works on a CPU slot, in Chromium: it fits, it is quiet, it leads on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from practicum.gpus import services as leases
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Purpose, Slot
from practicum.lib.clock import utc_now
from practicum.workspaces import services
from practicum.workspaces.models import Session
from tests.browser.conftest import LOOKS
from tests.unit.gpus.conftest import make_slots

pytestmark = pytest.mark.browser
HOURS = timedelta(hours=12)


@pytest.fixture
def gpu_held(people: dict[str, Any], mentor: Any, cohort: Any) -> Lease:
    """One GPU, which somebody holds, and two CPU slots that are free."""
    cpu, *_ = make_slots(2)
    Slot.objects.update(kind="cpu", pool=pool_of(name="CPU slots", kind=PoolKind.CPU))
    model = "NVIDIA H100 80GB HBM3"
    pool = pool_of(name=model, kind=PoolKind.GPU)
    Slot.objects.create(server=cpu.server, pool=pool, kind="gpu", index=0, uuid="GPU-1", model=model)
    held = leases.request_lease(mentor, cohort=cohort, purpose=Purpose.SESSION, duration=HOURS, now=utc_now())
    leases.allocate(now=utc_now())
    return held


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_waiting_working_meanwhile_and_moving(
    gpu_held: Lease, people: dict[str, Any], visit: Callable[..., Any], tmp_path: Any, *, phone: bool, dark: bool
) -> None:
    services.open_notebook(people["intern"], now=utc_now())
    opened = visit("intern", phone=phone, dark=dark)
    page = opened.go("/notebook/")
    look(page, tmp_path / "in-line.png", phone=phone)

    page.get_by_role("button", name="Work on a CPU meanwhile").press("Enter")
    expect(page.get_by_role("heading", name="A CPU slot is yours")).to_be_visible()
    run_on_granted_slot()
    page = opened.go("/notebook/")
    expect(page.get_by_role("heading", name="You are 1st in line for a GPU")).to_be_visible()
    look(page, tmp_path / "on-a-cpu.png", phone=phone)

    leases.release_lease(gpu_held.pk, token=1, observed_gone=True, now=utc_now())
    leases.allocate(now=utc_now())
    page = opened.go("/")
    expect(page.get_by_role("link", name="It is your turn")).to_be_visible()
    look(page, tmp_path / "home.png", phone=phone)
    page = opened.go("/notebook/")
    look(page, tmp_path / "turn.png", phone=phone)
    page.get_by_role("button", name="Move to the GPU").press("Enter")
    expect(page.get_by_role("heading", name="You are moving to GPU 0")).to_be_visible()
    look(page, tmp_path / "moving.png", phone=phone)
    assert opened.complaints == []


def test_who_is_on_a_cpu_slot_gets_in_line_and_leaves_it(
    gpu_held: Lease, people: dict[str, Any], visit: Callable[..., Any], tmp_path: Any
) -> None:
    services.open_notebook(people["intern"], now=utc_now())
    Lease.objects.filter(user=people["intern"]).update(pool=pool_of(name="CPU slots", kind=PoolKind.CPU))
    leases.allocate(now=utc_now())
    run_on_granted_slot()
    opened = visit("intern")
    page = opened.go("/notebook/")
    look(page, tmp_path / "join.png", phone=False)
    page.get_by_role("button", name="Get in line for a GPU").click()
    expect(page.get_by_role("heading", name="You are 1st in line for a GPU")).to_be_visible()
    look(visit("admin").go("/gpus/"), tmp_path / "admin.png", phone=False)
    page.get_by_role("button", name="Leave the line for a GPU").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave the line for a GPU").click()
    expect(page.get_by_role("button", name="Get in line for a GPU")).to_be_visible()


def look(page: Page, file: Any, *, phone: bool) -> None:
    page.screenshot(path=str(file), full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1280)


def run_on_granted_slot() -> None:
    """As if the hub had started it."""
    now = utc_now()
    Lease.objects.filter(slot__kind="cpu").update(state="active")
    Session.objects.update(state="running", started_at=now, ready_at=now, active_at=now)
