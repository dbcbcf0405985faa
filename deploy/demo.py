#!/usr/bin/env python3
"""``make demo``: the whole of Practicum on this machine, with people and work in it.

Makes the environment, finds or starts a container engine, builds the images, prepares the database, starts site, hub,
proxy, worker and agent under one supervisor, waits until all answer, fills in the demo scenario and prints the address.
Ctrl-C ends everything it started, containers too. What people did is kept in ``var/``; ``make demo-reset`` starts over.

Only the standard library is imported until the environment is there.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Practicum needs Python 3.11 or newer; this is %s. Run `make demo PYTHON=python3.11`." % sys.version.split()[0]
    )

import argparse
import asyncio
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import bootstrap
from bootstrap import ROOT, Stop, say
from supervisor import Program, Supervisor

PYTHON = str(ROOT / ".venv" / "bin" / "python")
NEEDED_BYTES = 6 * 1024**3
PASSWORD = "practicum-demo"
HEALTHY_SECONDS = 90
FRESH_SECONDS = 5


def arguments(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000, help="the site's port; the hub takes the three after it + 80")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "var")
    parser.add_argument("--engine", choices=["auto", "none"], default="auto", help="none: no containers, no isolation")
    parser.add_argument("--reset", action="store_true", help="forget everything the demo keeps, then stop")
    parser.add_argument(
        "--work", choices=["done", "none"], default="done", help="none: people and projects, nothing done yet"
    )
    parser.add_argument("--cpu-slots", type=int, default=3, help="slots without a GPU, beside GPUs or alone")
    return parser.parse_args(argv)


class Ports:
    """The four ports of the demo, from the site's."""

    def __init__(self, site):
        self.site, self.hub, self.hub_api, self.proxy_api = site, site + 80, site + 81, site + 82

    def check(self, host):
        """Refuse if one is taken.

        Raises:
            Stop: names the port.
        """
        for port in (self.site, self.hub, self.hub_api, self.proxy_api):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError:
                    raise Stop(
                        f"Port {port} is taken by another program. Stop that program (is a demo running already?), "
                        f"or run `make demo PORT={self.site + 1000}`."
                    ) from None


def check_disk(folder):
    """Refuse where images and data would not fit.

    Raises:
        Stop: says how much is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise Stop(
            f"{free / 1024**3:.1f} GB of disk are free here and the demo needs {NEEDED_BYTES / 1024**3:.0f} GB for its images: "
            "free some space, or give another folder with `make demo DATA=/some/folder`."
        )


def instance_of(data_dir):
    """A short name that this data folder's containers, volumes and network carry."""
    return "demo-" + hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:8]


def table_of(instance):
    """The name of the kernel's table with the rules of this demo's notebooks."""
    return f"practicum_{instance.replace('-', '_')}"


def kept_secrets(data_dir):
    """The secrets of this demo, made once and readable by its owner only."""
    file = data_dir / "secrets.json"
    if not file.exists():
        names = ("SECRET_KEY", "HUB_API_TOKEN", "HUB_SITE_TOKEN", "OIDC_CLIENT_SECRET", "SPLIT_SECRET")
        made = {f"PRACTICUM_{name}": secrets.token_hex(32) for name in names}
        made |= {"CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32), "JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32)}
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(made, stream)
    return json.loads(file.read_text())


def engine_of(choice):
    """``DOCKER_HOST`` of the container engine and whether we started it, or None where there is to be none."""
    if choice == "none":
        return None
    result = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "engine.py"), "ensure"], stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode == 0:
        return json.loads(result.stdout.strip().splitlines()[-1])
    say("No container engine: notebooks and evaluations will run as ordinary processes, WITHOUT ISOLATION.")
    return None


def manage(env, *command):
    """Run a management command; its output goes to the terminal."""
    result = subprocess.run([PYTHON, str(ROOT / "manage.py"), *command], env=env, check=False)
    if result.returncode:
        raise Stop(f"`manage.py {command[0]}` failed; what it printed is above.")


class Demo:
    """One demo: its folders, environment and programs."""

    def __init__(self, options):
        self.options = options
        self.data_dir = options.data_dir.resolve()
        self.ports = Ports(options.port)
        self.instance = instance_of(self.data_dir)
        self.engine = None
        self.env = {}
        self.began = time.monotonic()

    def prepare(self):
        """Everything before the first program starts; what was started is stopped if it fails or is interrupted."""
        try:
            self.make_ready()
        except BaseException:
            self.stop_engine()
            raise

    def make_ready(self):
        """Environment, engine, images, database."""
        check_disk(self.data_dir)
        self.ports.check("127.0.0.1")
        bootstrap.main(["site"])
        self.engine = engine_of(self.options.engine)
        self.env = self.environment()
        manage(self.env, "setup", "--agent", "this-machine", self.env["PRACTICUM_AGENT_TOKEN_FILE"])

    def environment(self):
        """The variables all programs share."""
        kept = kept_secrets(self.data_dir)
        env = {k: v for k, v in os.environ.items() if not k.startswith("PRACTICUM_") or k.startswith("PRACTICUM_DEMO_")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # each of a dozen processes would compile the same modules anew
        address = "127.0.0.1"
        if self.engine:
            env["DOCKER_HOST"] = self.engine["docker_host"]
            images = self.build_images(env)
            address = env.get("PRACTICUM_DEMO_ADDRESS") or self.network_address(env)
            env |= {"PRACTICUM_WORKSPACE_IMAGE": images["workspace"], "PRACTICUM_SCORER_IMAGE": images["scorer"]}
        else:
            bootstrap.main(["workspace"])
            env["PRACTICUM_WORKSPACE_PYTHON"] = str(ROOT / ".venv-workspace" / "bin" / "python")
        ports = self.ports
        return (
            env
            | kept
            | {
                "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{env['PATH']}",
                "PYTHONUNBUFFERED": "1",
                "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT / 'hub'}",
                "DJANGO_SETTINGS_MODULE": "practicum.config.settings",
                "PRACTICUM_ENV": "demo",
                "PRACTICUM_INSTANCE": self.instance,
                "PRACTICUM_ENGINE": "docker" if self.engine else "local",
                "PRACTICUM_DATA_DIR": str(self.data_dir),
                "PRACTICUM_SITE_URL": f"http://127.0.0.1:{ports.site}",
                "PRACTICUM_SITE_INTERNAL_URL": f"http://{address}:{ports.site}",
                "PRACTICUM_HUB_URL": f"http://127.0.0.1:{ports.hub}",
                "PRACTICUM_HUB_API_URL": f"http://{address}:{ports.hub_api}/hub/api",
                "PRACTICUM_NETWORK": f"practicum-{self.instance}",
                "PRACTICUM_HUB_BIND": f"http://127.0.0.1:{ports.hub}",
                "PRACTICUM_HUB_CONNECT_HOST": address,
                "PRACTICUM_HUB_PROXY_API_URL": f"http://127.0.0.1:{ports.proxy_api}",
                "PRACTICUM_HUB_DATA_DIR": str(self.data_dir / "hub"),
                "PRACTICUM_HUB_SERVERS_DIR": str(self.data_dir / "servers"),
                "PRACTICUM_AGENT_TOKEN_FILE": str(self.data_dir / "agent" / "token"),
                "PRACTICUM_DEMO_ADDRESS": address,
            }
        )

    def build_images(self, env):
        """Build (or find) the images; their tags by name."""
        result = self.data_dir / "images.json"
        command = [PYTHON, "-m", "practicum.engine.images", "--output", str(result)]
        if subprocess.run(command, env=env | {"PYTHONPATH": str(ROOT / "platform")}, check=False).returncode:
            raise Stop(
                "The images could not be built; what failed is above. `make demo ENGINE=none` tries it without containers."
            )
        return json.loads(result.read_text())

    def network_address(self, env):
        """Make the notebooks' network if it is not there; this machine's address on it."""
        name = f"practicum-{self.instance}"
        code = (
            "import docker, sys\n"
            "client = docker.from_env()\n"
            "found = client.networks.list(names=[sys.argv[1]])\n"
            "how = {'driver': 'bridge', 'options': {'com.docker.network.bridge.enable_icc': 'false'},\n"
            "       'labels': {'org.practicum.managed': '1', 'org.practicum.instance': sys.argv[2]}}\n"
            "try:\n"
            "    network = found[0] if found else client.networks.create(sys.argv[1], **how)\n"
            "except docker.errors.APIError as fault:\n"
            "    sys.exit(f'The engine gives no network: {fault.explanation}. Unused ones are removed by '\n"
            "             '`docker network prune`, those of old demos by `make demo-reset` with their DATA.')\n"
            "network.reload()\n"
            "bridge = network.attrs['Options'].get('com.docker.network.bridge.name') or 'br-' + network.id[:12]\n"
            "print(network.attrs['IPAM']['Config'][0]['Gateway'], bridge)\n"
        )
        said = bootstrap.run([PYTHON, "-c", code, name, self.instance], what="Making the notebooks' network", env=env)
        address, bridge = said.split()
        self.keep_apart(address, bridge)
        return address

    def keep_apart(self, address, bridge):
        """Notebooks reach the hub's API, the site and the public internet, and not this machine or the network it is on."""
        doors = [f"--door={address}:{port}" for port in (self.ports.site, self.ports.hub_api)]
        rules = ["install", "--no-unit", "--open", "--bridge", bridge, "--outside=", *doors]
        if os.geteuid() or self.firewall(*rules).returncode:
            say("Notebooks reach this machine's other services and its network: their rules need root and nftables.")

    def firewall(self, *arguments):
        """Run the project's firewall on a table of this demo's own."""
        command = [sys.executable, str(ROOT / "deploy" / "firewall.py"), *arguments, "--table", table_of(self.instance)]
        return subprocess.run(command, stdout=subprocess.DEVNULL, check=False)

    def programs(self):
        """What the supervisor runs, in the order of the log's colours."""
        address, ports = self.env["PRACTICUM_DEMO_ADDRESS"], self.ports
        binds = [f"--bind=127.0.0.1:{ports.site}"] + ([f"--bind={address}:{ports.site}"] if self.engine else [])
        venv = ROOT / ".venv" / "bin"
        node = shutil.which("node", path=self.env["PATH"])
        proxy = [
            node,
            str(ROOT / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"),
            "--ip=127.0.0.1", f"--port={ports.hub}", "--api-ip=127.0.0.1", f"--api-port={ports.proxy_api}",
            f"--default-target=http://{address}:{ports.hub_api}", "--error-target", f"http://{address}:{ports.hub_api}/hub/error",
            "--log-level=warn",
        ]  # fmt: skip
        commands = {
            "web": [
                str(venv / "gunicorn"), "practicum.config.wsgi:application", *binds,
                "--workers=2", "--threads=4", "--timeout=120", "--graceful-timeout=5", "--log-level=warning",
                f"--worker-tmp-dir={self.data_dir}",
            ],
            "proxy": proxy,
            "hub": [str(venv / "jupyterhub"), "-f", str(ROOT / "hub" / "jupyterhub_config.py"), "--log-level=WARN"],
            "worker": [PYTHON, str(ROOT / "manage.py"), "worker"],
            "agent": [PYTHON, "-m", "practicum_hub.agent", "--cpu-slots", str(self.options.cpu_slots)],
        }  # fmt: skip
        # Only hub and worker are given the engine's socket.
        without_engine = {k: v for k, v in self.env.items() if k != "DOCKER_HOST"}
        return [
            Program(name, command, self.env if name in ("hub", "worker") else without_engine, ROOT)
            for name, command in commands.items()
        ]

    async def run(self):
        """Start, wait until healthy, seed, print the address, go on until told to stop."""
        supervisor = Supervisor(self.programs(), log_dir=self.data_dir / "log")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, supervisor.stop)
        running = asyncio.create_task(supervisor.run())
        try:
            began = time.monotonic()
            await self.wait_healthy(supervisor)
            say("Site, hub, proxy, worker and agent answer", since=began)
            await self.seed(supervisor)
            if not supervisor.stopping.is_set():
                self.announce()
            await running
        finally:
            supervisor.stop()
            await running
            print("\n  Stopping…", flush=True)
            self.clean_up()

    async def wait_healthy(self, supervisor):
        """Wait until site (which asks worker and database), hub and agent answer.

        Raises:
            Stop: they don't within the time.
        """
        until = time.monotonic() + HEALTHY_SECONDS
        waiting = "the site"
        while time.monotonic() < until and not supervisor.stopping.is_set():
            waiting = await asyncio.to_thread(self.unhealthy)
            if not waiting:
                return
            await asyncio.sleep(0.3)
        if not supervisor.stopping.is_set():
            raise Stop(
                f"{waiting} did not become healthy in {HEALTHY_SECONDS} s; its log is in {self.data_dir / 'log'}."
            )

    def unhealthy(self):
        """The first part that doesn't answer yet, or an empty string."""
        try:
            health = fetch_json(f"{self.env['PRACTICUM_SITE_URL']}/health/")
        except (OSError, ValueError):  # a page in place of JSON: it is still starting
            return "The site"
        if health.get("database") != "ok":
            return "The database"
        if health.get("worker") is None or health["worker"] > FRESH_SECONDS:
            return "The worker"
        try:
            fetch_json(f"{self.env['PRACTICUM_HUB_URL']}/hub/api/")
        except (OSError, ValueError):  # a page in place of JSON: it is still starting
            return "The hub"
        return ""

    async def seed(self, supervisor):
        """Fill in the scenario, once; Ctrl-C ends it."""
        if (self.data_dir / "seeded").exists():
            return
        process = await asyncio.create_subprocess_exec(
            PYTHON, str(ROOT / "manage.py"), "seed_demo", "--work", self.options.work, env=self.env, cwd=ROOT
        )
        waiter, stopper = asyncio.create_task(process.wait()), asyncio.create_task(supervisor.stopping.wait())
        await asyncio.wait({waiter, stopper}, return_when=asyncio.FIRST_COMPLETED)
        stopper.cancel()
        if not waiter.done():
            process.terminate()
            await waiter
            return
        if process.returncode:
            raise Stop(
                "The demo's scenario could not be filled in; what failed is above. `make demo` goes on where it stopped."
            )
        (self.data_dir / "seeded").touch()

    def announce(self):
        """Where to go and whom to be."""
        site = self.env["PRACTICUM_SITE_URL"]
        isolation = "" if self.engine else "\n  No container engine: NO ISOLATION. For trying out alone.\n"
        print(
            f"""
  ──────────────────────────────────────────────────────────────────────
  Practicum is ready at  {site}   (after {time.monotonic() - self.began:.0f} s)
{isolation}
    ada    admin      servers, GPUs, who holds what
    mira   mentor     reviews that wait, interns
    otto   mentor
    ines   intern     has a notebook open
    kofi   intern     has not started
    noor · tomas · lin · sam   interns further on

  The password of all of them is  {PASSWORD}
  Ctrl-C stops everything; `make demo` goes on; `make demo-reset` starts over.
  ──────────────────────────────────────────────────────────────────────
""",
            flush=True,
        )

    def clean_up(self):
        """End this demo's containers (or processes), and the engine if we started it. Volumes stay."""
        subprocess.run([PYTHON, str(ROOT / "manage.py"), "stop_containers"], env=self.env, check=False)
        self.stop_engine()

    def stop_engine(self):
        """End the engine if we started it, and take the notebooks' rules away, which nothing needs any more."""
        if self.engine and os.geteuid() == 0:
            self.firewall("remove", "--yes")
        if self.engine and self.engine["started"]:
            subprocess.run([sys.executable, str(ROOT / "deploy" / "engine.py"), "stop"], check=False)

    def reset(self):
        """Forget database, files, homes and network."""
        if not (self.data_dir / "secrets.json").exists():
            say("There is no demo to forget.")
            return
        self.ports.check("127.0.0.1")
        self.engine = engine_of(self.options.engine)
        if self.engine:
            env = dict(os.environ, DOCKER_HOST=self.engine["docker_host"], PYTHONPATH=str(ROOT / "platform"))
            subprocess.run([PYTHON, "-m", "practicum.engine.forget", self.instance], env=env, check=True)
            self.stop_engine()
        shutil.rmtree(self.data_dir)
        say("Forgotten. `make demo` starts over.")


def fetch_json(url):
    """GET ``url``; a health answer with an error status is an answer too."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return json.load(error)
        raise


def main(argv):
    """Run the demo, or forget it."""
    demo = Demo(arguments(argv))
    if demo.options.reset:
        demo.reset()
        return
    print("Practicum demo", flush=True)
    demo.prepare()
    asyncio.run(demo.run())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Stop as stop:
        sys.exit(f"\n{stop}")
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
