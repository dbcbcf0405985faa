"""An intern's snapshots, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from practicum.gpus.inventory import pool_of
from practicum.gpus.models import PoolKind, Server, Slot
from practicum.lib.clock import utc_now
from practicum.workspaces.models import Restoration, Session, Snapshot
from tests.unit.gpus.conftest import lease_on

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]
WHYS = [
    ("kept", "Your slot was borrowed, and a cohort that has it guaranteed needs it now.", ""),
    ("failed", "Nothing ran in the notebook for a while.", "There was no time to make a snapshot."),
    ("kept", "The server gpu-1 is being taken out of use.", ""),
]


@pytest.fixture
def snapshots(people: dict[str, Any]) -> list[Snapshot]:
    """Three of the intern's, one of which could not be made; the notebook runs."""
    now, server = utc_now(), Server.objects.create(name="gpu-1")
    pool = pool_of(name="CPU slots", kind=PoolKind.CPU)
    slot = Slot.objects.create(server=server, pool=pool, kind="cpu", index=0, uuid="cpu:0", model="CPU")
    lease = lease_on(slot, people["intern"], now=now)
    facts = {"user": people["intern"], "internship": people["internship"], "lease": lease, "requested_at": now}
    session = Session.objects.create(state="running", deadline=now + timedelta(hours=8), active_at=now, **facts)
    rows = []
    for days, (state, reason, message) in enumerate(WHYS):
        at = now - timedelta(days=days)
        row = Snapshot.objects.create(
            internship=people["internship"], session=session, asked_at=at, made_at=at if state == "kept" else None,
            reason=reason, state=state, message=message, deadline=at, bytes=48_123_456, files=1204, left_out=days,
        )  # fmt: skip
        row.path.parent.mkdir(parents=True, exist_ok=True)
        row.path.write_bytes(b"an archive")
        rows.append(row)
    return rows


def test_the_list_is_quiet_and_fits_a_phone(snapshots: list[Snapshot], visit: Callable[..., Any]) -> None:
    for theme in ("light", "dark"):
        window = visit("intern", phone=True, dark=theme == "dark")
        page = window.go("/notebook/snapshots/")
        assert window.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_restoring_asks_first_and_goes_by_keyboard(snapshots: list[Snapshot], visit: Callable[..., Any]) -> None:
    page = visit("intern").go("/notebook/snapshots/")
    page.get_by_role("button", name="Restore").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.confirm[open]")
    dialog.get_by_text("Nothing is overwritten").wait_for()
    assert not Restoration.objects.exists()
    dialog.get_by_role("button", name="Restore").press("Enter")
    page.get_by_text("is unpacked as soon as your notebook is stopped").wait_for()
    assert Restoration.objects.get().snapshot == snapshots[0]
