"""From one file, on an empty engine, on a machine that reaches nothing but itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.server import Server, build_images
from tests.tools import guide

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Whatever engine this machine has: this one must be another.
START = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import engine
engine.need_programs()
private = engine.PrivateEngine(Path(sys.argv[2]))
with private.locked():
    private.start(hook_dir=None)
"""


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an engine of its own in a network namespace that has no way out, and nothing on its disk yet."""
    folder = tmp_path_factory.mktemp("air")
    for parent in (folder, *folder.parents[:3]):  # the site's own user must get to its data
        parent.chmod(parent.stat().st_mode | 0o011)
    images = build_images(folder / "built.json")
    # The scorer's image stands for the notebooks' too: no notebook is opened here, and it saves a gigabyte of copying.
    made = Server(folder, f"air-{os.getpid()}", {**images, "workspace": images["scorer"]})
    made.lay_out()
    space = f"practicum-{made.project}"
    inside = ["nsenter", f"--net=/var/run/netns/{space}"]
    engine = {"env": {**os.environ, "DOCKER_HOST": f"unix://{folder}/engine/docker.sock"}}
    subprocess.run(["ip", "netns", "add", space], check=True)
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        start = [sys.executable, "-c", START, str(ROOT / "deploy"), f"{folder}/engine"]
        subprocess.run([*inside, *start], check=True)
        made.prefix, made.more = inside, engine
        yield made
    finally:
        subprocess.run(
            [sys.executable, str(ROOT / "deploy" / "engine.py"), "stop", "--folder", f"{folder}/engine"],
            check=False,
            capture_output=True,
        )
        subprocess.run(["ip", "netns", "del", space], check=False)


def test_the_namespace_has_no_way_out_and_the_engine_is_empty(away: Server) -> None:
    routes = subprocess.run(
        [*away.prefix, "ip", "route", "show", "default"], capture_output=True, text=True, check=True
    )
    assert routes.stdout == ""
    images = subprocess.run(["docker", "images", "-q"], capture_output=True, text=True, check=True, **away.more)
    assert images.stdout == ""


def test_a_bundle_made_elsewhere_installs_a_site_that_answers(away: Server) -> None:
    (line,) = guide.block("air-gapped", "Make a bundle elsewhere")
    made = subprocess.run(
        [*away.here(line), "--images", str(away.folder / "images.json")], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    bundle = away.folder / "practicum-0.1.0.tar"
    assert Path(f"{bundle}.sha256").read_text().split()[0] in made.stdout
    subprocess.run(["rm", "-r", str(away.deploy)], check=True)

    unpack, install = guide.block("air-gapped", "Install from it")
    away.run(away.here(unpack), cwd=away.folder)
    wrong = away.run([*away.here(install), "--sha256", "0" * 64], code=1, cwd=away.folder)
    assert "is not the bundle that was asked for" in wrong
    assert not (away.deploy / ".env").exists()
    said = away.run(away.here(install), cwd=away.folder)
    for line in ("The bundle is whole", "Hub and proxy answer", "signs in with this one-time password"):
        assert line in said
    assert "Pulling" not in said


def test_the_images_are_those_of_the_bundle(away: Server) -> None:
    images = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"],
        capture_output=True,
        text=True,
        check=True,
        **away.more,
    )
    assert set(images.stdout.split()) == set(json.loads((away.folder / "images.json").read_text()).values())
