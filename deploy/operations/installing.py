"""``deploy/install``: from a server with Docker to a site that answers, in one command. Safe to run again."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Optional, Sequence

from operations import answers, bundling, envfile, machine, pictures
from operations.stack import HEALTHY_SECONDS, Stack
from operations.telling import Failed, Stop, confirmed, headline, refuse, say

SITE_USER = 1000
# Made before the engine would: what it makes for a mount is root's, and the site could write to none of it.
FOLDERS = ("agent", "authority", "egress", "hidden", "hub", "servers")
SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN", "KEY")


def main(arguments: Sequence[str], *, deploy: Path) -> int:
    """The whole of it; the exit code."""
    options = parsed(arguments)
    install = Install(options, deploy=deploy)
    try:
        install.decide()
        if options.dry_run:
            return install.rehearse()
        with alone(deploy):
            install.prepare()
            install.start()
            return install.finish()
    except KeyboardInterrupt:
        return refuse(install.left("Stopped."))
    except (Stop, OSError) as stop:
        return refuse(install.left(str(stop)))


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="deploy/install", description="Install Practicum on this server, or change its answers."
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="look at this machine, say what would be done, change nothing"
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing: what is not given takes its default")
    parser.add_argument("--anyway", action="store_true", help="go on though something is to be mended")
    parser.add_argument(
        "--answers", type=Path, help="a file with answers, a line each: SITE_HOST=practicum.example.org"
    )
    parser.add_argument("--bundle", type=Path, help="a file that deploy/bundle made: nothing is pulled or built")
    parser.add_argument("--sha256", default="", help="what the bundle's SHA-256 must be")
    parser.add_argument("--images", type=Path, help="a file of names and tags of images that are on the engine")
    parser.add_argument("--http-listen", default="", help="address for HTTP, default 80; e.g. 127.0.0.1:8080")
    parser.add_argument("--https-listen", default="", help="address for HTTPS, default 443")
    parser.add_argument(
        "--docker-socket", default="", help="the engine's socket; default: that of DOCKER_HOST, or Docker's usual one"
    )
    parser.add_argument(
        "--project", default="", help="name of the Compose project, of notebooks and their network; default practicum"
    )
    parser.add_argument("--wait", type=float, default=HEALTHY_SECONDS, help="seconds that it may take until all answer")
    answers.add_options(parser)
    return parser.parse_args(arguments)


@contextmanager
def alone(deploy: Path) -> Iterator[None]:
    """No other install, upgrade or rollback runs on this deploy folder.

    Raises:
        Stop: one does.
    """
    with (deploy / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop("Another install, upgrade or rollback runs here: wait for its end.") from None
        yield


class Install:
    """One run."""

    def __init__(self, options: argparse.Namespace, *, deploy: Path) -> None:
        self.options, self.deploy = options, deploy
        self.earlier = envfile.read(deploy / ".env")
        self.settings: Dict[str, str] = {}
        self.said: Dict[str, str] = {}
        self.stack: Optional[Stack] = None
        self.was_running = False
        self.has_started = False

    def decide(self) -> None:
        """The answers are there, and this machine was looked at.

        Raises:
            Stop: an answer is missing, or something is to be mended first.
        """
        given = {**(answers.from_file(self.options.answers) if self.options.answers else {})}
        given.update(
            {each.name: value for each in answers.QUESTIONS if (value := getattr(self.options, each.name)) is not None}
        )
        headline("What this site is to be")
        # An admin is made once; a run after one that reached its end asks for none.
        without = answers.ADMIN if self.earlier.get("INSTALLED") and not given.get("admin") else ()
        earlier = answers.kept(self.earlier)
        self.said = answers.answered(given, earlier=earlier, is_asked=not self.options.yes, without=without)
        self.settings = {**self.earlier, **answers.as_settings(self.said), **self.places()}
        if machine.compose().state == machine.OK:
            self.stack = Stack(self.deploy)
            self.was_running = self.stack.containers().get("tls", {}).get("state") == "running"
        headline("Whether this machine can run it")
        findings = machine.looks(self.settings, is_running=self.was_running)
        print(machine.told(findings), flush=True)
        if not self.settings["PRACTICUM_HUB_SUBDOMAINS"]:
            print(machine.SUBDOMAIN_WARNING.format(hub=self.settings["HUB_HOST"]), flush=True)
        ill = [each for each in findings if each.state == machine.MEND]
        if ill and not self.options.dry_run and not self.may_go_on(len(ill)):
            raise Stop("Nothing was changed. Mend what is marked, then run the same command again.")

    def may_go_on(self, faults: int) -> bool:
        """The operator said so."""
        if self.options.anyway or self.options.yes:
            return bool(self.options.anyway)
        return confirmed(f"{faults} to mend. Go on all the same?")

    def places(self) -> Dict[str, str]:
        """Where things listen and lie."""
        host = os.environ.get("DOCKER_HOST", "")
        usual = host[len("unix://") :] if host.startswith("unix://") else "/var/run/docker.sock"
        socket = self.options.docker_socket or self.earlier.get("DOCKER_SOCKET") or usual
        project = self.options.project or self.earlier.get("COMPOSE_PROJECT_NAME") or "practicum"
        return {
            "COMPOSE_PROJECT_NAME": project,
            "PRACTICUM_INSTANCE": project,
            "PRACTICUM_NETWORK": f"{project}-notebooks",
            "NOTEBOOK_PREFIX": self.earlier.get("NOTEBOOK_PREFIX") or machine.free_prefix(machine.networks_here()),
            "DOCKER_SOCKET": socket,
            "DOCKER_GROUP_ID": str(Path(socket).stat().st_gid) if Path(socket).exists() else "",
            "HTTP_LISTEN": self.options.http_listen or self.earlier.get("HTTP_LISTEN") or "80",
            "HTTPS_LISTEN": self.options.https_listen or self.earlier.get("HTTPS_LISTEN") or "443",
        }

    def rehearse(self) -> int:
        """Say what would be written and done."""
        headline("What would be written to deploy/.env (secrets are made, and kept where there are some)")
        for name, value in sorted(self.settings.items()):
            if value:
                print(f"  {name}={'…' if any(word in name for word in SECRET_WORDS) else value}")
        source = (
            f"loaded from {self.options.bundle}"
            if self.options.bundle
            else "pulled by digest, or built from this checkout"
        )
        headline(f"Then: images {source}; services started; the first admin made. Nothing was changed.")
        return 0

    def prepare(self) -> None:
        """Images, folders, certificates and .env are there.

        Raises:
            Stop: an image can't be had.
        """
        headline("Images")
        images = self.images()
        template = self.deploy / "env.example"
        self.settings = envfile.filled({**self.settings, **images}, template=template)
        self.make_folders(Path(self.settings["DATA_DIR"]))
        envfile.write(self.deploy / ".env", self.settings, template=template)
        say(f"Settings and secrets are in {self.deploy / '.env'}, for root alone")

    def images(self) -> Dict[str, str]:
        """The settings that name the images."""
        if self.options.bundle:
            with tempfile.TemporaryDirectory(dir=self.options.bundle.resolve().parent, prefix=".open-") as folder:
                bundle = bundling.opened(self.options.bundle, folder=Path(folder), sha256=self.options.sha256)
                if bundling.version_of(self.deploy) != bundling.version_of(bundle.deploy):
                    raise Stop(
                        f"This folder is of another version than {self.options.bundle}: use the deploy/install that lies in it."
                    )
                return {**bundle.load(), "PRACTICUM_VERSION": bundle.version}
        version = {"PRACTICUM_VERSION": bundling.version_of(self.deploy)}
        if self.options.images:
            return {**pictures.given(json.loads(self.options.images.read_text())), **version}
        if all(
            self.earlier.get(setting) and pictures.is_here(self.earlier[setting])
            for setting in pictures.SETTINGS.values()
        ):
            say("Those of the last run are there; deploy/practicum upgrade takes newer ones")
            return {setting: self.earlier[setting] for setting in pictures.SETTINGS.values()}
        has_gpus = self.said["gpus"] == "yes"
        root = self.deploy.parent
        return {
            **pictures.built(
                root, version=version["PRACTICUM_VERSION"], socket=self.settings["DOCKER_SOCKET"], has_gpus=has_gpus
            ),
            **version,
        }

    def make_folders(self, data: Path) -> None:
        """What containers write to is the site's own user's; certificates are root's."""
        is_new = not data.exists()
        for folder in (data, *(data / name for name in FOLDERS)):
            if not folder.exists():
                folder.mkdir(parents=True, mode=0o755)
                os.chown(folder, SITE_USER, SITE_USER)
        if is_new:
            data.chmod(0o711)
        tls = data / "tls"
        tls.mkdir(exist_ok=True, mode=0o755)
        os.chown(tls, 0, 0)
        for name in ("certificate", "key") if self.said["tls"] == "files" else ():
            source, target = Path(self.said[name]).resolve(), tls / f"{name}.pem"
            if source != target:
                fresh = tls / f".{name}.new"
                with open(fresh, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
                    stream.write(source.read_bytes())
                fresh.replace(target)

    def start(self) -> None:
        """All services run and answer.

        Raises:
            Stop: one does not.
        """
        headline("Start")
        self.has_started = True
        self.stack = Stack(self.deploy)
        self.stack.up()
        self.stack.wait_healthy(seconds=self.options.wait)
        if self.settings["TLS_MODE"] == "internal":
            believe_own_authority(self.stack, Path(self.settings["DATA_DIR"]) / "tls", deploy=self.deploy)

    def finish(self) -> int:
        """The first admin is made, the doctor has looked; says what comes next."""
        assert self.stack is not None
        if self.said.get("admin"):
            headline("The first admin")
            account = (self.said["admin"], self.said["admin_email"], self.said["admin_name"])
            command = ("python", "manage.py", "create_admin", "--unless-there-is-one", *account)
            said = self.stack.inside("worker", *command, what="Making the first admin").strip()
            print("\n".join(f"  {line}" for line in said.splitlines()), flush=True)
        headline("What the doctor says")
        try:
            print(self.stack.inside("worker", "python", "manage.py", "doctor", what="The doctor").rstrip(), flush=True)
        except Failed as fault:  # what it finds is no fault of the installing
            print(fault, flush=True)
        site = f"https://{self.settings['SITE_HOST']}"
        kept = {**self.stack.settings, "INSTALLED": "yes"}
        envfile.write(self.deploy / ".env", kept, template=self.deploy / "env.example")
        headline(f"{site} is there.")
        say(
            f"Publish a project: deploy/practicum project publish projects/digits --by {self.said.get('admin') or 'ADMIN'}"
        )
        say("Then, on the site: People (accounts), Cohorts, Internships, GPUs.")
        say("Look at everything, any time: deploy/practicum doctor")
        if self.settings["TLS_MODE"] == "internal":
            say(
                f"Browsers must believe {Path(self.settings['DATA_DIR']) / 'tls' / 'root.pem'}: add it to their authorities."
            )
        return 0

    def left(self, why: str) -> str:
        """Leave nothing half, and say what is there."""
        if not self.has_started:
            return f"{why}\nNothing runs that did not before."
        if self.was_running or self.stack is None:
            return f"{why}\nThe services were running before and are left running: deploy/practicum status shows them."
        try:
            self.stack.compose("down", what="Stopping what was started")
        except Failed as fault:
            return f"{why}\n{fault}"
        return (
            f"{why}\nWhat was started is stopped again; settings, secrets and data are kept. The same command goes on."
        )


def believe_own_authority(stack: Stack, folder: Path, *, deploy: Path) -> None:
    """The doctor in the worker believes Caddy's own authority, whose root lies in ``folder`` for people's browsers."""
    place = "/data/caddy/pki/authorities/local/root.crt"
    root = stack.inside("tls", "cat", place, what="Reading the authority's certificate")
    public = stack.inside("worker", "cat", "/etc/ssl/certs/ca-certificates.crt", what="Reading the public authorities")
    both = folder / "authorities.pem"
    if both.is_file() and both.read_text() == public + root and stack.settings.get("CA_FILE"):
        return
    for name, text in (("root.pem", root), ("authorities.pem", public + root)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    envfile.write(deploy / ".env", {**stack.settings, "CA_FILE": str(both)}, template=deploy / "env.example")
    stack.compose("up", "-d", "--no-deps", "worker", what="Starting the worker again")
    began = time.monotonic()
    stack.wait_healthy()
    say("The worker believes the lab's own authority", since=began)
