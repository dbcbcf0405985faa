"""A server as an operator has it: ``deploy/install`` with the guide's own lines, the walk through TLS, upgrades and the way back.

Everything of ``deploy/compose.yaml`` runs on the real engine, PostgreSQL and Caddy too. The tests are the steps of one story
and run in the order they are written (``-p no:randomly``).
"""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.conftest import BROWSER_ARGUMENTS, PASSWORD, ROOT
from tests.e2e.server import HUB, PLACES, SITE, Server, build_images
from tests.e2e.test_walk import ALL_ZEROS, LAUNCH_MS, SCORE_MS, run_cell, work
from tests.tools import guide
from tests.tools.waiting import RanOut, wait_for

pytestmark = pytest.mark.e2e

Person = Callable[[str], Page]
# The state of each run of Kofi's submissions, by their number.
RUNS = (
    "from practicum.evaluation.models import Run; print([(r.submission.number, str(r.state)) for r in "
    "Run.objects.filter(submission__internship__intern__username='kofi').order_by('submission__number', 'pk')])"
)
TABLES = "from django.db import connection as c; print('of_the_next_version' in c.introspection.table_names())"
GOOD = """from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("audit", "{last}")]
    operations = [migrations.RunSQL("CREATE TABLE of_the_next_version (id integer)", "DROP TABLE of_the_next_version")]
"""
BROKEN = """from django.db import migrations

def fail(apps, schema_editor):
    raise RuntimeError("this migration is broken")

class Migration(migrations.Migration):
    dependencies = [("audit", "9998_next")]
    operations = [migrations.RunSQL("CREATE TABLE half_of_it (id integer)"), migrations.RunPython(fail)]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, not yet installed."""
    folder = tmp_path_factory.mktemp("server")
    for parent in (folder, *folder.parents[:3]):  # the site's own user must get to its data
        parent.chmod(parent.stat().st_mode | 0o011)
    made = Server(folder, f"e2e-{os.getpid()}", build_images(folder / "built.json"))
    made.lay_out()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def chromium(server: Server) -> Iterator[Browser]:
    """A browser whose name service knows this server."""
    rules = ",".join(f"MAP {name}:443 127.0.0.1:{server.https}" for name in (SITE, HUB, f"*.{HUB}"))
    with sync_playwright() as playwright:
        arguments = [*BROWSER_ARGUMENTS, f"--host-resolver-rules={rules}"]
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield running
        running.close()


@pytest.fixture
def person(chromium: Browser) -> Iterator[Person]:
    """``person("kofi")``: a page of their own, signed in."""
    contexts = []

    def sign_in(username: str) -> Page:
        # Whether the certificate is to be believed is asked below, by a program that believes this authority alone.
        context = chromium.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 860})
        context.set_default_timeout(40_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"https://{SITE}/sign-in/")
        page.fill("input[name=account]", username)
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(f"https://{SITE}/")
        return page

    yield sign_in
    for context in contexts:
        context.close()


def test_a_rehearsal_changes_nothing_and_shows_no_secret(server: Server) -> None:
    said = server.follow(guide.block("install", "Look first"))
    assert f"SITE_HOST={SITE}" in said
    assert not server.data.exists()
    assert not (server.deploy / ".env").exists()
    assert server.container("web") == ""


def test_one_command_installs_it(server: Server) -> None:
    (line,) = guide.block("install", "Install")
    server.installed = server.run([*server.here(line), "--images", str(server.folder / "images.json")])
    assert "signs in with this one-time password" in server.installed
    for said in ("Site, database and worker answer", "Hub and proxy answer", f"https://{SITE} is there."):
        assert said in server.installed
    env = server.deploy / ".env"
    assert env.stat().st_mode & 0o777 == 0o600
    secrets = re.findall(
        r"^(?:POSTGRES_PASSWORD|\w+_SECRET\w*|\w+_TOKEN|\w+_KEY)=(\w{64})$", env.read_text(), re.MULTILINE
    )
    assert len(set(secrets)) == 8
    assert not [secret for secret in secrets if secret in server.installed]


def test_both_names_have_certificates_of_the_labs_own_authority_and_so_has_each_persons_notebook(
    server: Server,
) -> None:
    context = ssl.create_default_context(cafile=str(server.data / "tls" / "root.pem"))
    for name in (SITE, HUB, f"kofi.{HUB}"):
        with (
            socket.create_connection(("127.0.0.1", server.https)) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            assert tls.getpeercert()
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", server.https)) as plain:
        context.wrap_socket(plain, server_hostname="else.test")


@pytest.mark.parametrize(
    ("mode", "shows"),
    [
        ("acme", '"email":"ops@example.org"'),
        ("files", "/etc/practicum/tls/key.pem"),
        ("internal", '"module":"internal"'),
    ],
)
def test_caddy_takes_each_way_to_certificates(server: Server, mode: str, shows: str) -> None:
    adapt = "caddy adapt --config /etc/caddy/Caddyfile"
    said = server.run(
        [
            "docker",
            "exec",
            "-e",
            f"TLS_MODE={mode}",
            "-e",
            "TLS_EMAIL=ops@example.org",
            server.container("tls"),
            *adapt.split(),
        ]
    )
    assert shows in said
    assert f'"host":["{SITE}"]' in said


def test_the_doctor_sees_only_what_is_this_machines_own(server: Server) -> None:
    done = subprocess.run(
        [server.deploy / "practicum", "doctor", "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    found = {each["name"]: each["state"] for each in json.loads(done.stdout[done.stdout.index("{") :])["findings"]}
    for name in (
        "database",
        "migrations",
        "key of the sign-in",
        "name of the site",
        "site",
        "hub",
        "worker",
        "agent on gpu-1",
    ):
        assert found[name] == "ok", (name, done.stdout)
    known = {"container engine", "clock", "settings (practicum.W001)"}
    ill = {name for name, state in found.items() if state == "mend"}
    assert {name for name in ill if not name.startswith("disk")} <= known, done.stdout


def test_the_web_process_has_neither_the_engine_nor_the_hidden_data_nor_what_the_hub_keeps(server: Server) -> None:
    (server.data / "hidden" / "planted").write_text("an answer")
    look = (
        f"ls {server.data}/hidden {server.data}/hub; ls /var/run/docker.sock; env; "
        "cat /proc/1/status | grep -E 'CapEff|CapBnd|NoNewPrivs'; id -u; ls /proc/1/root/var/run"
    )
    said = subprocess.run(
        ["docker", "exec", server.container("web"), "sh", "-c", look], capture_output=True, text=True, check=False
    )
    assert "planted" not in said.stdout
    assert "jupyterhub" not in said.stdout
    assert "docker.sock" not in said.stdout
    assert "DOCKER" not in said.stdout
    assert "JUPYTERHUB_CRYPT_KEY" not in said.stdout
    assert "CONFIGPROXY" not in said.stdout
    assert re.search(
        r"CapEff:\s+0{16}\s+CapBnd:\s+0{16}\s+NoNewPrivs:\s+1\s+1000\s", said.stdout.replace("\n", " ") + " "
    )
    mounts = {mount["Destination"] for mount in server.inspect("web")["Mounts"]}
    assert mounts == {str(server.data)}


@pytest.mark.parametrize("service", ["web", "worker", "hub", "proxy", "agent", "tls", "database"])
def test_no_service_runs_with_the_hosts_rights_or_listens_but_the_tls_proxy(server: Server, service: str) -> None:
    host = server.inspect(service)["HostConfig"]
    assert not host["Privileged"]
    assert host["NetworkMode"] != "host"
    assert host["PidMode"] == ("host" if service == "agent" else "")
    assert bool(host["PortBindings"]) == (service == "tls")


def test_the_socket_is_mounted_in_worker_and_hub_alone(server: Server) -> None:
    services = ("web", "worker", "hub", "proxy", "agent", "tls", "database")
    holders = {s for s in services if "docker.sock" in json.dumps(server.inspect(s)["Mounts"])}
    assert holders == {"worker", "hub"}


def test_the_same_command_again_keeps_secrets_and_data(server: Server) -> None:
    before = (server.deploy / ".env").read_text()
    database = server.container("database")
    said = server.follow(guide.block("install", "Change an answer"))
    assert "one-time password" not in said
    assert (server.deploy / ".env").read_text() == before
    assert server.container("database") == database


def test_an_intern_opens_a_notebook_through_tls_on_a_name_of_its_own(server: Server, person: Person) -> None:
    assert server.shell(PLACES, service="worker").splitlines()[-1] == "placed"
    page = person("kofi")
    page = in_notebook(page, "import os; print(6 * 7, os.path.exists('/var/run/docker.sock'))", until="42 False")
    assert page.url.startswith(f"https://kofi.{HUB}/")
    assert len(server.notebooks()) == 1
    hubs = [c for c in page.context.cookies(f"https://{HUB}/hub/") if "hub" in c["name"]]
    assert hubs
    assert all(c["secure"] for c in hubs)


def in_notebook(page: Page, code: str, *, until: str) -> Page:
    """Open the notebook as people do and run ``code`` in it; the page it is in. A browser gives up what it fetches when the
    machine's network interfaces change, which containers do: who meets that asks again, in a new page.
    """
    for attempt in range(3):
        try:
            open_notebook(page)
            run_cell(page, code, until=until)
        except (PlaywrightError, RanOut):  # e.g. ERR_NETWORK_CHANGED
            if attempt == 2:
                raise
            page = page.context.new_page()  # the old one may still be about to open something
        else:
            break
    return page


def open_notebook(page: Page) -> None:
    """From the notebook's page to a JupyterLab that shows the starter notebook."""
    page.goto(f"https://{SITE}/notebook/")
    start = page.get_by_role("button", name="Open notebook")
    if start.count():
        start.click()
    else:
        page.locator("main").get_by_role("link", name=re.compile("JupyterLab|notebook", re.I)).first.click()
    page.wait_for_url(re.compile(r"/user/[a-z-]+/lab"), timeout=LAUNCH_MS)
    page.wait_for_selector(
        '.jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=LAUNCH_MS
    )


def test_a_submission_is_scored_in_isolation(server: Server, person: Person) -> None:
    page = person("kofi")
    hand_in(page)
    expect(page.get_by_text("Scored", exact=True).first).to_be_visible(timeout=SCORE_MS)


def hand_in(page: Page, *, note: str = "first") -> None:
    """A control, by upload."""
    content = work(predict__py=ALL_ZEROS, report__md=f"# A control\n\nAlways zero, {note}.")
    page.goto(f"https://{SITE}/submissions/upload/")
    page.set_input_files("input[type=file]", {"name": "work.zip", "mimeType": "application/zip", "buffer": content})
    page.get_by_role("button", name="Hand in").click()
    page.wait_for_url(re.compile(r"/submissions/\d+/"))


def bundle_of(server: Server, version: str, *, is_broken: bool = False) -> None:
    """A bundle of a version that differs from this one by migrations, made by the guide's own line."""
    folder = server.folder / f"source-{version}"
    folder.mkdir()
    place = "platform/practicum/audit/migrations"
    last = sorted((ROOT / place).glob("0*.py"))[-1].stem
    (folder / "9998_next.py").write_text(GOOD.format(last=last))
    if is_broken:
        (folder / "9999_broken.py").write_text(BROKEN)
    (folder / "Dockerfile").write_text(f"FROM {server.images['site']}\nCOPY *.py {place}/\n")
    tag = f"practicum/site:{server.project}-{version}"
    subprocess.run(["docker", "build", "-q", "-t", tag, str(folder)], check=True, capture_output=True)
    (server.folder / "images.json").write_text(json.dumps({**server.images, "site": tag}))
    (line,) = guide.block("upgrade", "A bundle without the images")
    server.run([*server.here(line.replace("0.2.0", version)), "--images", str(server.folder / "images.json")])


def image_of(server: Server) -> str:
    """Which image the site runs."""
    return str(server.inspect("web")["Config"]["Image"])


def runs(server: Server) -> list[tuple[int, str]]:
    """State of each run of Kofi's submissions."""
    found: list[tuple[int, str]] = ast.literal_eval(server.shell(RUNS).splitlines()[-1])
    return found


@pytest.mark.slow
def test_a_migration_that_fails_half_way_leads_back_by_itself(server: Server) -> None:
    bundle_of(server, "0.3.0", is_broken=True)
    notebooks, image, before = server.notebooks(), image_of(server), (server.deploy / ".env").read_text()
    said = server.practicum("upgrade", str(server.folder / "practicum-0.3.0.tar"), code=1)
    assert "this migration is broken" in said
    assert "Version 0.1.0 runs as before; nothing was lost." in said
    assert "The database is as it was" in said
    assert (image_of(server), (server.deploy / ".env").read_text()) == (image, before)
    assert server.shell(TABLES).splitlines()[-1] == "False"
    assert server.notebooks() == notebooks != []
    assert runs(server) == [(1, "scored")]


@pytest.mark.slow
def test_an_upgrade_leaves_notebooks_running_and_does_the_work_that_waits(server: Server, person: Person) -> None:
    bundle_of(server, "0.2.0")
    page = person("kofi")
    subprocess.run(["docker", "stop", "-t", "5", server.container("worker")], check=True, capture_output=True)
    hand_in(page, note="second")
    assert [number for number, state in runs(server) if state != "scored"] == [2]
    notebooks = server.notebooks()
    said = server.follow(guide.block("upgrade", "Upgrade"))
    assert "Version 0.2.0 runs." in said
    assert image_of(server).endswith("-0.2.0")
    assert server.shell(TABLES).splitlines()[-1] == "True"
    wait_for(lambda: runs(server) == [(1, "scored"), (2, "scored")], seconds=120, every=1)
    assert server.notebooks() == notebooks != []
    in_notebook(page, "print(6 * 7, 'still')", until="42 still")


@pytest.mark.slow
def test_rollback_runs_what_ran_before_on_the_tables_of_before(server: Server) -> None:
    notebooks = server.notebooks()
    with subprocess.Popen(["echo", "yes"], stdout=subprocess.PIPE) as operator:
        said = server.follow(guide.block("upgrade", "Roll back"), stdin=operator.stdout)
    assert "what was written since is lost" in said
    assert "Version 0.1.0 runs." in said
    assert not image_of(server).endswith("-0.2.0")
    assert server.shell(TABLES).splitlines()[-1] == "False"
    assert server.notebooks() == notebooks != []
    # It waited when the dump was made, so it waits again, and is done once.
    wait_for(lambda: runs(server) == [(1, "scored"), (2, "scored")], seconds=120, every=1)


@pytest.mark.slow
def test_there_is_no_second_way_back(server: Server) -> None:
    server.practicum("rollback", "--yes", code=1, said="There is no upgrade to take back.")


@pytest.mark.slow
def test_day_to_day_verbs(server: Server) -> None:
    said = server.follow(guide.block("install", "Day to day"))
    assert "caddy" in said
    assert "web" in said
    assert server.inspect("web")["State"]["Running"]
