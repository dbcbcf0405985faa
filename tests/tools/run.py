"""``make test``: tests on the parts they name, with what is missing on the machine installed first.

Sweeps, drills and whole matrices are marked ``slow``: with ALL=1 they run, too, which takes about twice as long. Without
it, every part is still started for real, and each way a person goes is gone once.

Passes: unit tests on SQLite; those of them that talk to a database on PostgreSQL; the real engine; hub and workspace;
projects; browser; attacks; the whole system end to end. As root on a machine with apt, engine, browser and
PostgreSQL are installed; elsewhere a missing one is an error that says what to install. The last line adds up the
passes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tools.postgres import postgres, server_programs

ROOT = Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv" / "bin" / "python")
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|rerun|xfailed|xpassed|deselected|skipped)")
# A wait that ran out on a busy machine is tried once more, and named; an answer that is wrong never is.
PATIENT = ("--reruns", "1", *(f"--only-rerun={kind}" for kind in ("RanOut", "TimeoutError", "Locator expected")))
# Tables made from the models at once, which takes a tenth of the time. The migrations are run by the pass on PostgreSQL, and on
# SQLite by every demo of the end-to-end tests; `make lint` sees that they give what the models say.
TABLES = "--nomigrations"
# Those that share real parts run in the order of their files, so that what passed here passes elsewhere, too. Unit tests are in
# random order always, and SHUFFLE=1 puts all but the end-to-end tests so.
ORDER = () if os.environ.get("SHUFFLE") else ("-p", "no:randomly")
# A sweep, drill or matrix of which a part runs at every change, and the whole before a release.
ALL = bool(os.environ.get("ALL"))
QUICK = "" if ALL else " and not slow"
REAL = f"not gpu{QUICK}"
UNIT = (
    "not keeping and not engine and not browser and not hub and not workspace and not gpu and not e2e and not attack"
    + QUICK
)
# Where rows are locked, claimed and counted by several at once, which is where one database differs from another.
ON_BOTH = () if ALL else tuple(f"tests/unit/{room}" for room in ("evaluation", "gpus", "submissions", "workspaces"))


def busy_seconds() -> float:
    """What all processors have worked since the machine started; 0 where the kernel does not say."""
    try:
        user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    except (OSError, ValueError):
        return 0.0
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    """A line of progress."""
    print(f"\n=== {text}", flush=True)


def install(package: str) -> None:
    """Install a Debian package, or say that it must be."""
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit(f"The tests need {package}: install it, then run `make test` again.")
    say(f"installing {package}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    quiet = {"env": env, "check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update"], **quiet)  # type: ignore[call-overload]
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package], **quiet)  # type: ignore[call-overload]


def need_chromium() -> None:
    """Chromium is there."""
    if not shutil.which("chromium"):
        install("chromium")


def need_programs() -> None:
    """Chromium, PostgreSQL's server and libfaketime, by which the drills set clocks, are there."""
    need_chromium()
    if not list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        install("libfaketime")
    try:
        server_programs()
    except FileNotFoundError:
        install("postgresql")


def need_compose() -> None:
    """Compose, by which a server's services are started, and the kernel's rules for its notebooks."""
    has_second = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    if not has_second and not shutil.which("docker-compose"):
        install("docker-compose")
    if not shutil.which("nft"):
        install("nftables")


def need_registry() -> None:
    """A registry of images of the tests' own, which is pulled from."""
    if not shutil.which("docker-registry"):
        install("docker-registry")


def need_keepers() -> None:
    """The programs that backups are made with, and an SSH server to send them to."""
    for program, package in (("restic", "restic"), ("sshd", "openssh-server"), ("ssh", "openssh-client")):
        if not (shutil.which(program) or Path("/usr/sbin", program).exists()):
            install(package)


def need_engine() -> tuple[dict[str, str], bool]:
    """The variables that name engine and images, and whether the engine was started for us."""
    hooks = str(ROOT / "tests" / "tools")
    command = [sys.executable, str(ROOT / "deploy" / "engine.py"), "ensure", "--hook-dir", hooks]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit("The tests need a container engine (see above).")
    engine = json.loads(result.stdout.strip().splitlines()[-1])
    env = {"DOCKER_HOST": engine["docker_host"], "PRACTICUM_REQUIRE_ENGINE": "1"}
    say("building the images")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "images.json"
        build = [PYTHON, "-m", "practicum.engine.images", "--egress", "--output", str(output)]
        subprocess.run(build, env=os.environ | env | {"PYTHONPATH": str(ROOT / "platform")}, check=True)
        images = json.loads(output.read_text())
    env |= {f"PRACTICUM_{name.upper()}_IMAGE": images[name] for name in ("workspace", "scorer")}
    env["PRACTICUM_TEST_EGRESS_IMAGE"] = images["egress"]
    return env, engine["started"]


class Passes:
    """Runs pytest several times and adds up.

    Each pass has a folder of its own for temporary files: pytest's shared one is swept by whichever run ends, and what
    it cannot remove there (another run's, or left by a killed one) would fail this run.
    """

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="pt-", ignore_cleanup_errors=True)
        self.counts: dict[str, int] = {}
        self.failed = False

    def run(self, title: str, *arguments: str, env: dict[str, str]) -> None:
        """One pass, its output shown as it comes."""
        say(title)
        began, worked = time.monotonic(), busy_seconds()
        temporary = f"--basetemp={self.folder.name}/{title.split()[-1].lower()}"
        command = [PYTHON, "-m", "pytest", "-q", "--durations=5", temporary, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if COUNTS.search(line) else last
        self.failed |= process.wait() != 0
        for number, word in COUNTS.findall(last):
            word = "failed" if word.startswith("error") else word
            self.counts[word] = self.counts.get(word, 0) + int(number)
        seconds, cores = time.monotonic() - began, os.cpu_count() or 1
        busy = (busy_seconds() - worked) / seconds / cores
        print(f"    {title}: {seconds:.0f} s, processors {busy:.0%} busy", flush=True)


def main() -> int:
    """Run the passes; 0 if all is well."""
    need_programs()
    need_keepers()
    need_registry()
    engine_env, started = need_engine()
    need_compose()
    subprocess.run([sys.executable, str(ROOT / "deploy" / "bootstrap.py"), "workspace"], check=True)
    workspace = {"PRACTICUM_WORKSPACE_PYTHON": str(ROOT / ".venv-workspace" / "bin" / "python")}
    passes = Passes()
    try:
        passes.run("unit tests on SQLite", "-n", "auto", TABLES, "-m", f"{UNIT} and not postgres", env={})
        with postgres() as address:
            on_postgresql = ("-n", "auto", "--database-only", "-m", UNIT, *ON_BOTH)
            passes.run("unit tests on PostgreSQL", *on_postgresql, env={"PRACTICUM_DATABASE_URL": address})
        env = engine_env | workspace
        # Apart from one another: a browser's event loop must not be alive where a test talks to the database.
        two = ("-n", "2", "--dist", "loadfile", TABLES, *ORDER, "-m", REAL)
        passes.run("engine", "tests/engine", *two, *PATIENT, env=env)
        # These wait, for minutes that must pass and for pages to be quiet, more than they compute.
        three = ("-n", "3", "--dist", "loadfile", TABLES, *ORDER, "-m", REAL)
        passes.run("hub, workspace", "tests/hub", "tests/workspace", *three, *PATIENT, env=env)
        # Each has a server of its own, with an engine and a firewall, in a network namespace.
        passes.run("networks", "tests/networks", "-m", REAL, TABLES, *ORDER, *PATIENT, env=env)
        stolen = ("-n", "2", "--dist", "worksteal", TABLES, *ORDER, "-m", REAL)
        passes.run("projects", "tests/projects", *stolen, *PATIENT, env=env)
        passes.run("browser", "tests/browser", *three, *PATIENT, env=env)
        scoped = ("-n", "2", "--dist", "loadscope", TABLES, *ORDER, "-m", REAL)
        passes.run("backups", "tests/keeping", *scoped, *PATIENT, env=env)
        passes.run("attacks", "tests/attacks", "-m", f"attack{QUICK}", "-n", "2", TABLES, *ORDER, *PATIENT, env=env)
        passes.run("end to end", "tests/e2e", "-m", REAL, "-p", "no:randomly", *PATIENT, env=env)
        if shutil.which("nvidia-smi"):
            passes.run("GPU", "-m", "gpu", env=env)
    finally:
        passes.folder.cleanup()
        if started:
            subprocess.run([sys.executable, str(ROOT / "deploy" / "engine.py"), "stop"], check=False)
    rest = "" if ALL else " (without the slow ones: make test ALL=1)"
    patience = f", {passes.counts['rerun']} after a second try" if passes.counts.get("rerun") else ""
    print(
        f"\n{passes.counts.get('passed', 0)} passed, {passes.counts.get('failed', 0)} failed{patience}{rest}",
        flush=True,
    )
    return 1 if passes.failed else 0


if __name__ == "__main__":
    sys.exit(main())
