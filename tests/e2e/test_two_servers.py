"""Two servers, two engines, one overlay: a container starts where its lease is, and a server that dies costs nobody anything.

Both engines run on this machine, in network namespaces of their own; the wire between them is cut, and the second engine is
killed by force. The second server is made one by the very commands of the operator's guide.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e.conftest import ROOT, RunningDemo, free_demo_port, rows, start_demo
from tests.e2e.test_deaths import SLOW_PREDICT, wait_until
from tests.e2e.two_machines import Machine, Pair, join, local, operate, two_machines
from tests.e2e.two_servers_agent import gpus_of
from tests.tools import guide

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

INTERNS, FIRST, SUBMISSIONS = 24, 6, 6
CUT_SECONDS = 90
RECONCILED_TWICE = 60
PEOPLE = """
from datetime import date, timedelta
from pathlib import Path
from practicum.accounts.models import User
from practicum.config.demo.cast import CAST
from practicum.config.engine import site_engine
from practicum.config.management.commands.seed_demo import QUICKEST_CHECKS, account, published
from practicum.internships.models import Cohort
from practicum.internships.services import start_internship
from practicum.lib.clock import utc_now
people = {{person.username: account(person) for person in CAST if person.username in ("ada", "mira")}}
version = published(Path("projects/digits"), by=people["mira"], engine=site_engine(), only=QUICKEST_CHECKS)
version.manifest["budget"]["gpu_gb"] = 1
version.save()
today = date.today()
cohort = Cohort.objects.create(slug="north", name="North", starts_on=today, ends_on=today + timedelta(days=50), idle_minutes=45)
mentor, admin = User.objects.get(username="mira"), User.objects.get(username="ada")
for n in range({interns}):
    person = User(username=f"guest-{{n}}", email=f"guest-{{n}}@example.org", name=f"Guest {{n}}", role="intern")
    person.set_unusable_password()
    person.save()
    start_internship(person, mentor=mentor, cohort=cohort, version=version, actor=admin, now=utc_now())
"""
ASK = """
from contextlib import suppress
from practicum.accounts.models import User
from practicum.errors import Conflict
from practicum.lib.clock import utc_now
from practicum.workspaces.services import open_notebook
for n in range({first}, {last}):
    with suppress(Conflict):
        open_notebook(User.objects.get(username=f"guest-{{n}}"), now=utc_now())
"""
TAKE = """
from contextlib import suppress
from practicum.accounts.models import User
from practicum.errors import Conflict
from practicum.lib.clock import utc_now
from practicum.workspaces.services import take_turn
for person in User.objects.filter(username__startswith="guest-", leases__state="granted"):
    with suppress(Conflict):
        take_turn(person, now=utc_now())
"""
STOP = """
from contextlib import suppress
from practicum.accounts.models import User
from practicum.errors import Conflict
from practicum.lib.clock import utc_now
from practicum.workspaces.services import stop_notebook
for username in {usernames!r}:
    with suppress(Conflict):
        stop_notebook(User.objects.get(username=username), now=utc_now())
"""
HAND_IN = """
import io, zipfile
from practicum.accounts.models import User
from practicum.evaluation.services import hand_in
from practicum.internships.models import Internship
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source
for n in range({submissions}):
    person = User.objects.get(username=f"guest-{{n}}")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("predict.py", {code!r})
        archive.writestr("report.md", f"Guest {{n}}")
    stream.seek(0)
    hand_in(Internship.objects.get(intern=person), archive=stream, source=Source.UPLOAD, actor=person, now=utc_now())
"""
LIVE = (
    "SELECT l.id, s.uuid, u.username, v.name FROM gpus_lease l JOIN gpus_slot s ON s.id = l.slot_id "
    "JOIN gpus_server v ON v.id = s.server_id JOIN accounts_user u ON u.id = l.user_id "
    "WHERE l.state = 'active' AND l.purpose = 'session' AND u.username LIKE 'guest-%'"
)
RUNS = (
    "SELECT r.state, r.tries FROM evaluation_run r JOIN submissions_submission s ON s.id = r.submission_id "
    "WHERE s.source = 'upload'"
)
UNSETTLED = (
    "SELECT u.username, l.state, l.purpose, l.reason, s.state, s.attempts, s.reason FROM gpus_lease l "
    "JOIN accounts_user u ON u.id = l.user_id LEFT JOIN workspaces_session s ON s.lease_id = l.id "
    "WHERE l.state IN ('queued', 'granted', 'active', 'draining')"
)


@dataclass
class Lab:
    """The whole of it: two machines, the site that runs on the first, and an agent for each."""

    pair: Pair
    demo: RunningDemo
    inside: tuple[str, ...]
    folder: Path
    agents: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def machines(self) -> tuple[Machine, Machine]:
        """Both."""
        return self.pair.first, self.pair.second

    def shell(self, code: str) -> None:
        """Run code beside the system, as an operator would in its shell."""
        self.operator("shell", "-v", "0", "-c", code)

    def operator(self, *words: str) -> str:
        """What one of the operator's commands prints, run where the worker runs."""
        command = [*self.inside, sys.executable, "manage.py", *words]
        env = self.demo.environment_of("worker")
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def guided(self, heading: str, *commands: str) -> str:
        """Run what the guide has under a heading, with this machine's addresses."""
        said = ""
        for command in commands:
            words = shlex.split(command)
            assert words[0] == "deploy/practicum", heading
            said += self.operator(*local(words[1:]))
        return said

    def start_agent(self, machine: Machine, *, pid: int, token: Path) -> None:
        """The agent of a server, in the network of a container there."""
        paths = os.pathsep.join([str(ROOT), str(ROOT / "hub")])
        site = self.demo.environment_of("worker")["PRACTICUM_SITE_INTERNAL_URL"]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "PRACTICUM_SITE_URL": site}
        env["PRACTICUM_AGENT_TOKEN_FILE"] = str(token)
        words = [str(machine.number), "--cpu-slots", "0", "--interval", "2"]
        command = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-m", "tests.e2e.two_servers_agent", *words]
        self.agents[machine.number] = subprocess.Popen(command, cwd=ROOT, env=env)

    def containers(self, machine: Machine, *, kind: str = "session") -> dict[str, str]:
        """What an engine itself says of running containers: lease by lease, the GPU a program in it sees."""
        labels = ["--filter", f"label=org.practicum.instance={self.demo.instance}"]
        ids = machine.ask("ps", "-q", *labels, "--filter", f"label=org.practicum.kind={kind}").split()
        said = json.loads(machine.ask("inspect", *ids)) if ids else []
        return {
            one["Config"]["Labels"]["org.practicum.lease"].replace("-", ""): ",".join(
                word.partition("=")[2] for word in one["Config"]["Env"] if word.startswith("NVIDIA_VISIBLE_DEVICES=")
            )
            for one in said
        }

    def agrees(self, count: int) -> bool:
        """So many notebooks run, each on the server of its lease, with exactly its lease's GPU, as the engines have it."""
        leases = {machine.name: {} for machine in self.machines}  # type: dict[str, dict[str, str]]
        for lease, uuid, _, server in rows(self.demo, LIVE):
            leases[server][lease] = uuid
        return sum(map(len, leases.values())) == count and all(
            self.containers(machine) == leases[machine.name] for machine in self.machines
        )

    def held_up(self) -> list[object]:
        """What keeps it from being so."""
        return [*rows(self.demo, UNSETTLED), *rows(self.demo, RUNS)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two machines; site, worker, hub and proxy in the network of a container on the first. The second is not a server yet."""
    folder = tmp_path_factory.mktemp("two")
    workspace, port = os.environ["PRACTICUM_WORKSPACE_IMAGE"], free_demo_port()
    with two_machines(folder / "machines") as pair:
        pair.first.boot()
        pair.second.boot(images=[workspace])
        data = folder / "site"
        instance = "demo-" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:8]  # as the demo calls itself
        network = f"practicum-{instance}"
        (command,) = guide.block("servers", "Before the first one")
        data.mkdir(parents=True)
        (data / "seeded").touch()  # the demo's scenario takes minutes and has nothing to do with this
        operate(pair.first, data, network, *local(shlex.split(command)[1:]), "--plain", "--way-out")
        pid, address = pair.first.stand_in("site", network=network, image=workspace)
        inside = ("nsenter", f"--net=/proc/{pid}/ns/net")
        options = ("--cpu-slots", "0", "--work", "none")
        assert pair.first.engine is not None
        demo = start_demo(
            data, port=port, options=options, docker_host=pair.first.engine.host, inside=inside, address=address
        )
        made = Lab(pair, demo, inside, folder)
        demo.instance, demo.engine = instance, pair.first.engine.host
        try:
            yield made
        finally:
            for agent in made.agents.values():
                agent.kill()
                agent.wait()
            with suppress(subprocess.CalledProcessError):
                pair.mend()
            demo.stop()
            print(demo.output)


@pytest.fixture(scope="module")
def joined(lab: Lab) -> Lab:
    """The second machine is a server, by the command that the site prints and nothing else; both agents report."""
    lab.shell(PEOPLE.format(interns=INTERNS))
    token = lab.folder / "token-1"
    lab.operator("agent_token", lab.pair.first.name, "--file", str(token))
    pid = int(lab.inside[1].split("/")[2])
    lab.start_agent(lab.pair.first, pid=pid, token=token)
    (command,) = guide.block("servers", "Adding one")[:1]
    printed = lab.guided("Adding one", command)
    (lab.folder / "printed").write_text(printed)
    join(lab.pair.second, printed, folder=lab.folder)
    the_way_in_is_closed(lab)
    (_, images) = guide.block("servers", "Adding one")
    assert "was copied" in lab.guided("Adding one", images)
    network = lab.demo.environment_of("worker")["PRACTICUM_NETWORK"]
    second, _ = lab.pair.second.stand_in("agent", network=network, image=os.environ["PRACTICUM_WORKSPACE_IMAGE"])
    lab.start_agent(lab.pair.second, pid=second, token=lab.folder / "etc" / "agent-token")
    serves = (
        "SELECT count(DISTINCT s.uuid) FROM gpus_slot s JOIN gpus_server v ON v.id = s.server_id WHERE s.kind = 'gpu' "
    )
    wait_until(
        lambda: rows(lab.demo, serves + "AND v.away_since IS NULL") == [(8,)], what="eight GPUs serve", seconds=90
    )
    return lab


def take(lab: Lab) -> None:
    """Whoever has their turn takes it."""
    if rows(lab.demo, "SELECT count(*) FROM gpus_lease WHERE state = 'granted' AND purpose = 'session'") != [(0,)]:
        lab.shell(TAKE)


def each_notebook_starts_on_the_server_of_its_lease(joined: Lab) -> None:
    """Six notebooks on both servers, each with its lease's GPU and no other."""
    joined.shell(ASK.format(first=0, last=FIRST))
    joined.shell(TAKE)
    wait_until(lambda: joined.agrees(FIRST), what=joined.held_up, seconds=120)
    uuids = {server: set() for server in ("gpu-server-1", "gpu-server-2")}  # type: dict[str, set[str]]
    for _, uuid, _, server in rows(joined.demo, LIVE):
        uuids[server].add(uuid)
    for number in (1, 2):
        assert set() < uuids[f"gpu-server-{number}"] <= set(gpus_of(number))


def the_proxy_reaches_notebooks_on_both_servers(joined: Lab) -> None:
    """Over the overlay: each notebook server answers through the proxy."""
    for _, _, username, _ in rows(joined.demo, LIVE):
        url = f"{joined.demo.hub}/user/{username}/lab"
        command = [*joined.inside, "curl", "-s", "-o", "/dev/null", "-m", "10", "-w", "%{redirect_url}", url]
        # The notebook server itself sends a stranger to the hub, to sign in.
        assert f"client_id=jupyterhub-user-{username}" in subprocess.run(command, capture_output=True, text=True).stdout


def who_comes_back_starts_where_their_files_are(joined: Lab) -> None:
    """One of each server stops and comes back. The tightest fit for both is the first server; nothing is copied."""
    first, second = (machine.name for machine in joined.machines)
    before = {username: server for _, _, username, server in rows(joined.demo, LIVE)}
    coming = [next(username for username in before if before[username] == server) for server in (second, first)]
    homes = "SELECT user_id, server, moved_at FROM workspaces_home ORDER BY user_id"
    at_first = rows(joined.demo, homes)
    joined.shell(STOP.format(usernames=coming))
    wait_until(lambda: joined.agrees(FIRST - len(coming)), what=joined.held_up, seconds=60)
    for n, username in enumerate(coming, start=1):
        number = int(username.removeprefix("guest-"))

        def is_back(number: int = number, count: int = FIRST - len(coming) + n) -> bool:
            joined.shell(ASK.format(first=number, last=number + 1))
            take(joined)
            return joined.agrees(count)

        wait_until(is_back, what=joined.held_up, seconds=60)
    assert {username: server for _, _, username, server in rows(joined.demo, LIVE)} == before
    assert rows(joined.demo, homes) == at_first
    assert (
        rows(joined.demo, "SELECT message FROM workspaces_sessionevent WHERE message LIKE 'Bringing your files%'") == []
    )


def the_way_in_is_closed(lab: Lab) -> None:
    """The machine came in by what was printed, and that lets no other one in any more: the worker saw to it."""
    note = lab.demo.data_dir / "authority" / "way-in.json"
    wait_until(lambda: not note.exists(), what="the way in is closed", seconds=30)
    printed = (lab.folder / "printed").read_text()
    token = lab.pair.first.ask("swarm", "join-token", "-q", "worker")
    assert "swarm join --token SWMTKN-" in printed
    assert token not in printed


def test_the_guide_lists_both(joined: Lab) -> None:
    (command,) = guide.block("servers", "Looking at them")
    said = joined.guided("Looking at them", command)
    assert "gpu-server-2: online; its own engine answers; its agent reports" in said
    assert "gpu-server-1: online; the site's engine answers; its agent reports" in said


def a_server_dies_and_comes_back(joined: Lab) -> None:
    """Its engine is killed by force and its wire cut while it evaluates: no lease and no submission is lost."""
    demo, second = joined.demo, joined.pair.second
    joined.shell(HAND_IN.format(submissions=SUBMISSIONS, code=SLOW_PREDICT.format(mark="two servers", seconds=4)))
    wait_until(lambda: bool(joined.containers(second, kind="predict")), what=joined.held_up, seconds=90)
    on_second = {lease for lease, *_, server in rows(demo, LIVE) if server == second.name}
    assert second.engine is not None
    second.engine.kill()
    joined.pair.cut()
    cut = time.monotonic()

    away = "SELECT count(*) FROM gpus_server WHERE away_since IS NOT NULL"
    wait_until(lambda: rows(demo, away) == [(1,)], what="the site sees that it is away", seconds=80)
    first = [username for _, _, username, server in rows(demo, LIVE) if server == joined.pair.first.name]
    joined.shell(STOP.format(usernames=first[:2]))
    wait_until(lambda: scored(demo) == SUBMISSIONS, what=joined.held_up, seconds=120)
    assert {tries for _, tries in rows(demo, RUNS)} == {1}
    assert on_second <= {lease for lease, *_, server in rows(demo, LIVE) if server == second.name}
    told = "SELECT count(DISTINCT session_id) FROM workspaces_sessionevent WHERE message LIKE '%gpu-server-2 does not answer%'"
    assert rows(demo, told) == [(len(on_second),)]

    time.sleep(max(0.0, CUT_SECONDS - (time.monotonic() - cut)))
    joined.pair.mend()
    second.engine.start()
    back = time.monotonic()
    wait_until(lambda: rows(demo, away) == [(0,)] and not strays(joined), what=joined.held_up, seconds=RECONCILED_TWICE)
    print(f"back and clean after {time.monotonic() - back:.0f} s")


def all_twenty_four_then_come(joined: Lab) -> None:
    """Eight of them work, four on each server, and the others wait."""
    joined.shell(ASK.format(first=0, last=INTERNS))

    def are_eight() -> bool:
        take(joined)
        return joined.agrees(8)

    wait_until(are_eight, what=joined.held_up, seconds=120)
    waiting = "SELECT count(*) FROM gpus_lease WHERE state = 'queued' AND purpose = 'session'"
    assert rows(joined.demo, waiting) == [(INTERNS - 8,)]


def no_gpu_was_ever_held_twice(joined: Lab) -> None:
    """As the rows of all leases have it."""
    spans = rows(
        joined.demo,
        "SELECT s.uuid, l.granted_at, coalesce(l.closed_at, '9999') FROM gpus_lease l JOIN gpus_slot s ON s.id = l.slot_id "
        "WHERE s.kind = 'gpu' ORDER BY s.uuid, l.granted_at",
    )
    assert len({uuid for uuid, _, _ in spans}) == 8
    for (gpu, _, end), (later_gpu, begin, _) in pairwise(spans):
        assert gpu != later_gpu or end <= begin


def test_the_guide_takes_a_server_out(joined: Lab) -> None:
    (command,) = guide.block("servers", "Taking one out")
    joined.operator("server", "add", "gpu-server-3", "--address", "10.77.0.3", "--by", "ada")
    folder = joined.demo.data_dir / "servers"
    assert sorted(entry.name for entry in folder.iterdir()) == ["gpu-server-2", "gpu-server-3"]
    joined.guided("Taking one out", command.replace("gpu-server-2", "gpu-server-3"))
    assert [entry.name for entry in folder.iterdir()] == ["gpu-server-2"]


def test_twenty_four_on_two_servers_of_which_one_dies_and_comes_back(joined: Lab) -> None:
    each_notebook_starts_on_the_server_of_its_lease(joined)
    the_proxy_reaches_notebooks_on_both_servers(joined)
    who_comes_back_starts_where_their_files_are(joined)
    a_server_dies_and_comes_back(joined)
    all_twenty_four_then_come(joined)
    no_gpu_was_ever_held_twice(joined)


def scored(demo: RunningDemo) -> int:
    """How many of the submissions have their score."""
    return [state for state, _ in rows(demo, RUNS)].count("scored")


def strays(lab: Lab) -> list[str]:
    """Containers on the second server, running or not, whose lease is not live, or that are no notebook's."""
    ids = lab.pair.second.ask("ps", "-aq", "--filter", f"label=org.practicum.instance={lab.demo.instance}").split()
    # An engine that was killed lists as dead what it does not know any more: that is asked for by id.
    shown = ["inspect", "-f", '{{index .Config.Labels "org.practicum.lease"}}', *ids]
    asked = subprocess.run([*lab.pair.second.docker, *shown], capture_output=True, text=True, check=False)
    found = asked.stdout.split() if ids else []
    live = {
        str(UUID(row[0]))
        for row in rows(lab.demo, "SELECT id FROM gpus_lease WHERE state IN ('granted', 'active', 'draining')")
    }
    return [lease for lease in found if lease not in live]
