"""A notebook for a readiness check: on a CPU slot, told its numbers, stopped when the check is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.errors import Conflict
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import PoolKind, Server, Slot
from practicum.internships.readiness import end_due, start_check
from practicum.workspaces.help_requests import ask
from practicum.workspaces.turns import may_join_line
from tests.unit.internships.conftest import application as application
from tests.unit.internships.conftest import attempt as attempt
from tests.unit.internships.conftest import check as check
from tests.unit.internships.conftest import open_cohort as open_cohort
from tests.unit.workspaces.conftest import World, ends


def test_its_notebook_has_the_projects_files_and_the_numbers_of_the_attempt(
    world: World, attempt: Any, intern: Any
) -> None:
    session = world.run(intern)

    environment = world.grants[-1]["environment"]
    assert session.internship == attempt.internship
    assert (environment["PRACTICUM_PROJECT"], environment["PRACTICUM_VARIANT"]) == (
        "readiness-ml",
        str(attempt.variant),
    )


def test_the_notebook_of_an_internship_is_told_no_numbers(world: World, internship: Any, intern: Any) -> None:
    world.run(intern)

    assert "PRACTICUM_VARIANT" not in world.grants[-1]["environment"]


def test_it_takes_a_cpu_slot_also_where_gpus_are_free(world: World, attempt: Any, intern: Any) -> None:
    pool = pool_of(name="GPUs", kind=PoolKind.GPU)
    Slot.objects.create(server=Server.objects.get(), pool=pool, kind="gpu", index=1, uuid="GPU-1", model="H200")

    session = world.run(intern)

    session.lease.refresh_from_db()
    assert session.lease.slot is not None
    assert session.lease.slot.kind == "cpu"
    assert not may_join_line(session)


def test_nobody_is_asked_to_help_in_a_check(world: World, attempt: Any, intern: Any, client_of: Any) -> None:
    world.run(intern)

    with pytest.raises(Conflict, match="A readiness check has no mentor yet"):
        ask(intern, topic="How?", minutes=15, now=world.now)
    assert "Ask for help" not in client_of(intern).get("/notebook/").content.decode()


def test_another_attempt_and_the_end_of_its_time_stop_the_notebook(
    world: World, attempt: Any, application: Any, check: Any, intern: Any
) -> None:
    first = world.run(intern)
    again = start_check(intern, application=application, check=check, after=1, now=world.now)
    world.tick()
    world.tick(after=timedelta(seconds=5))
    world.reconcile()
    world.tick(after=timedelta(seconds=5))
    assert ends(first)[0] == "stopped"
    assert first.reason == "The readiness check is over. What you handed in is kept."

    second = world.run(intern)
    assert world.grants[-1]["environment"]["PRACTICUM_VARIANT"] == str(again.variant) != str(attempt.variant)
    assert end_due(now=again.until) == 1
    world.tick()
    second.refresh_from_db()
    assert second.state in ("stopping", "stopped")
