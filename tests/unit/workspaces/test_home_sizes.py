"""Homes and the room they take: what is told, who is ended, and what is never done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from practicum.accounts.models import Notice
from practicum.engine.base import ContainerSpec
from practicum.engine.local import LocalEngine
from practicum.engine.memory import MemoryEngine, Script
from practicum.errors import EngineUnavailable
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import PoolKind, Server, Slot
from practicum.workspaces import home_rules, home_sizes, lifecycle
from practicum.workspaces.home_sizes import KIND, measure_homes, parse, room_of
from practicum.workspaces.models import HomeSize, Session
from tests.unit.workspaces.conftest import World, ends

GB, MINUTE = 10**9, timedelta(minutes=1)
ROOMY = (500 * GB, 1000 * GB)


@pytest.fixture
def world(world: World, settings: Any) -> World:
    """With 20 GB for each home, and a second slot."""
    settings.PRACTICUM_HOME_QUOTA_BYTES = 20 * GB
    server, pool = Server.objects.get(), pool_of(name="CPU slots", kind=PoolKind.CPU)
    Slot.objects.create(server=server, pool=pool, kind="cpu", index=1, uuid="cpu:alpha:1", model="CPU")
    return world


def walk(*homes: float | None, disk: tuple[float, float] = ROOMY) -> bytes:
    """What the walk prints of homes of these sizes in GB; None: it took too long."""
    parts = [b"=\0" + (b"" if size is None else b"%d\t.\x000\t.\0" % (size * GB / 1024)) for size in homes]
    return b"".join(parts) + b"%d %d 1\n" % disk


def measure(world: World, *homes: float | None, disk: tuple[float, float] = ROOMY) -> None:
    """A minute later the homes are of these sizes, those measured longest ago first."""
    world.now += MINUTE
    world.engine.will(KIND, Script(output=walk(*homes, disk=disk)))
    measure_homes(world.now, engine=world.engine)


@pytest.mark.parametrize(
    ("used", "lowest", "ends"),
    [
        (None, 5, False),
        (21.9, 5, False),
        (22.1, 5, True),
        # Opened as large as that already: it may be tidied up in peace, but not grow.
        (40, 40, False),
        (40.1, 40, False),
        (40.3, 40, True),
        (30, 40, False),
        # What was freed in it is not filled again.
        (31, 30, True),
    ],
)
def test_a_notebook_ends_when_its_files_are_far_too_large_and_grew_in_it(
    used: float | None, lowest: float, *, ends: bool
) -> None:
    size = None if used is None else round(used * GB)
    assert home_rules.must_end(size, lowest=round(lowest * GB), quota=20 * GB) is ends


@pytest.mark.parametrize(
    ("free", "size", "low"), [(11, 1000, False), (9, 1000, True), (6, 100, False), (4, 100, True), (0, 0, False)]
)
def test_a_disk_is_low_with_a_twentieth_left_or_ten_gigabytes(free: int, size: int, *, low: bool) -> None:
    assert home_rules.is_low(free * GB, size=size * GB) is low


def test_it_is_told_once_when_files_take_nearly_all_the_room(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    measure(world, 17.9)
    assert not Notice.objects.filter(kind__startswith="home.").exists()
    measure(world, 18.3)
    measure(world, 18.4)
    notice = Notice.objects.get(kind="home.nearly_full")
    assert (notice.user, notice.subject) == (intern, "Your files take 18.3 GB of the 20 GB you have")
    assert "nine tenths of the 20 GB" in world.hear(session)["warning"]
    assert ends(session)[0] == "running"


def test_who_fills_their_home_is_ended_and_told_and_can_open_it_again_to_delete(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    measure(world, 5)
    measure(world, 26)
    assert ends(session)[0] == "stopping"
    assert (
        session.reason == "Your files take 26 GB, more than the 20 GB you have, and grew: delete some before you go on."
    )
    notice = Notice.objects.get(kind="home.full")
    assert notice.body.startswith(session.reason)

    world.tick()
    world.tick()
    again = world.run(intern)
    measure(world, 26)
    measure(world, 26.1)
    assert ends(again)[0] == "running"
    assert "Delete some now" in world.hear(again)["warning"]
    measure(world, 12)
    assert world.hear(again)["warning"] is None
    measure(world, 21)
    assert ends(again)[0] == "running", "a little beyond is borne"
    measure(world, 22.5)
    assert ends(again)[0] == "stopping"
    assert Notice.objects.filter(kind="home.full").count() == 2


def test_on_a_low_disk_the_home_that_grew_most_is_ended_and_only_that(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    mine, theirs = world.run(intern), world.run(peer)
    measure(world, 5, 5)
    measure(world, 5.5, 6.5, disk=(9 * GB, 1000 * GB))
    assert (ends(mine)[0], ends(theirs)[0]) == ("running", "stopping")
    assert theirs.reason == home_rules.DISK_LOW
    measure(world, 5.5, disk=(9 * GB, 1000 * GB))
    assert ends(mine)[0] == "running", "nobody's files grew, so nobody is ended"


def test_what_takes_too_long_to_measure_is_said_and_ended_first_on_a_low_disk(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    mine, theirs = world.run(intern), world.run(peer)
    measure(world, None, 5)
    room = room_of(intern)
    assert room is not None
    assert (room.used, room.standing, room.warning) == (None, "", None)
    assert (ends(mine)[0], ends(theirs)[0]) == ("running", "running")
    measure(world, None, 6, disk=(9 * GB, 1000 * GB))
    assert (ends(mine)[0], ends(theirs)[0]) == ("stopping", "running")


def test_without_a_quota_nothing_is_measured_or_shown(
    world: World, intern: Any, internship: Any, settings: Any
) -> None:
    world.run(intern)
    measure(world, 19)
    settings.PRACTICUM_HOME_QUOTA_BYTES = 0
    world.engine.started.clear()
    assert measure_homes(world.now, engine=world.engine) == 0
    assert (world.engine.started, room_of(intern)) == ([], None)


def test_each_home_is_measured_where_it_is_and_a_silent_server_holds_up_no_other(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    mine = world.run(intern)
    Slot.objects.filter(uuid="cpu:alpha:1").update(server=Server.objects.create(name="beta"))
    world.engine.others["beta"] = beta = MemoryEngine()
    theirs = world.run(peer)
    beta.will(KIND, Script(output=walk(7)))
    measure(world, 5)
    assert {row.user: row.bytes // 1024 for row in HomeSize.objects.all() if row.bytes} == {
        intern: 5 * GB // 1024, peer: 7 * GB // 1024
    }  # fmt: skip
    beta.is_away = True
    with pytest.raises(EngineUnavailable):
        measure(world, 30)
    assert (ends(mine)[0], ends(theirs)[0]) == ("stopping", "running")


def test_the_walk_may_look_everywhere_and_change_nothing(world: World, intern: Any, internship: Any) -> None:
    world.run(intern)
    world.engine.started.clear()
    measure(world, 5)
    (spec,) = world.engine.started
    assert (spec.reads_all, spec.network, spec.mounts) == (True, None, [])
    (volume,) = spec.volumes
    assert (volume.name.endswith("-home-ines"), volume.read_only, volume.is_filled) == (True, True, False)
    # A home that is not on that engine is never mounted there: the engine would make an empty one.
    world.engine.volumes.clear()
    world.engine.started.clear()
    assert measure_homes(world.now, engine=world.engine) == 1
    assert world.engine.started == []


def test_what_a_worker_left_that_was_killed_is_cleared_away(world: World, intern: Any, internship: Any) -> None:
    world.run(intern)
    left = world.engine.hold({"org.practicum.instance": "practicum", "org.practicum.kind": KIND})
    world.engine.stop(left)
    measure(world, 5)
    assert left not in world.engine.held


def test_no_name_of_a_file_is_taken_for_a_size_or_for_another_home() -> None:
    hostile = b"9\t./a\n=\n999999999\t.\0" + b"8\t./\xff\xfe<b>\0" + b"7\t./c\t5\0"
    reading = parse(b"=\x0020\t.\0" + hostile + b"0\t.\0" + b"=\x003\t.\0" + b"1 2 1024\n", user_ids=[4, 9])
    assert (reading.used(4), reading.used(9), reading.free, reading.size) == (20 * 1024, 3 * 1024, 1024, 2048)
    assert [size for _, size in reading.largest(4)] == [9 * 1024, 8 * 1024, 7 * 1024]
    assert parse(b"=\x0020\t.\0=\x0055\t./x", user_ids=[4, 9]).used(9) is None, "cut off in the middle"


def test_without_an_engine_the_folder_that_is_the_home_is_walked(
    world: World, intern: Any, internship: Any, settings: Any, tmp_path: Path
) -> None:
    world.run(intern)
    settings.PRACTICUM_ENGINE = "local"
    home = settings.PRACTICUM_DATA_DIR / "hub" / "workspaces" / "ines"
    (home / "digits" / "a\nb").mkdir(parents=True)
    (home / "digits" / "a\nb" / "x").write_bytes(b"x" * 3_000_000)
    with (home / "sparse").open("wb") as file:
        file.truncate(40 * GB)
    assert measure_homes(world.now, engine=LocalEngine(python="", state_dir=tmp_path / "engine")) == 1
    room = room_of(intern)
    assert room is not None
    assert 3_000_000 <= (room.used or 0) < 4_000_000, "what a file takes counts, not what it says"
    assert room.largest[0][0] == "digits/a\nb"


def test_a_folder_that_is_nearly_all_one_other_is_not_named_twice() -> None:
    reading = parse(b"=\x00100\t.\x0060\t./a\x0058\t./a/b\x0030\t./c\x0012\t./c/d\x001 2 1", user_ids=[4])
    assert [path for path, _ in reading.largest(4)] == ["a/b", "c", "c/d"]


def test_a_notebook_that_was_stopped_while_it_was_measured_ends_for_its_own_reason(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    measure(world, 5)

    def stopped(_: ContainerSpec) -> None:
        row = Session.objects.select_related("lease__slot", "user").get()
        lifecycle.begin_stop(row, reason="You stopped it.", actor=intern, now=world.now)

    world.engine.will(KIND, Script(output=walk(30), on_start=stopped))
    reading = home_sizes.read(world.engine, [session])
    home_sizes.settle([session], reading, now=world.now)
    session.refresh_from_db()
    assert session.reason == "You stopped it."
    assert not Notice.objects.filter(kind="home.full").exists()


def test_the_page_shows_the_meter_and_its_owner_alone_sees_it(
    world: World, intern: Any, internship: Any, client: Client
) -> None:
    world.run(intern)
    client.force_login(intern)
    assert "Room for your files" not in client.get("/notebook/").content.decode()
    measure(world, 21)
    HomeSize.objects.update(largest=[["titanic/<b>checkpoints", 12 * GB]])
    page = client.get("/notebook/").content.decode()
    assert "<strong>21 GB</strong> of 20 GB" in page
    assert "titanic/&lt;b&gt;checkpoints" in page
    assert "meter-over" in page
    assert "Nothing of yours is deleted" in page
