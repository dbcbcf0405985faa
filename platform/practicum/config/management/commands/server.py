"""``practicum server``: further servers, each with an engine of its own that worker and hub give orders to.

``network`` makes the network that spans servers, ``add`` prints the one command for a new machine, ``images`` copies the
images there, ``list`` says which answer, ``remove`` takes one out.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from practicum.accounts.models import User
from practicum.config.engine import site_engine
from practicum.engine import authority, swarm
from practicum.engine.nodes import NAME, ask_all
from practicum.errors import Fault, Refused
from practicum.gpus import selectors, servers
from practicum.gpus.joining import Joining, command_of
from practicum.gpus.models import Server
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from practicum.workspaces import homes

ANSWER_SECONDS = 20.0
PREFIX = re.compile(r"\d{1,3}\.\d{1,3}", re.ASCII)


class Command(BaseCommand):
    """Add, list and remove servers."""

    help = (__doc__ or "").splitlines()[0]

    def add_arguments(self, parser: CommandParser) -> None:
        """One word says what to do."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        network = verbs.add_parser("network", help="Lead a swarm, and make the network PRACTICUM_NETWORK in it.")
        network.add_argument("--address", required=True, help="This machine's address as the other servers reach it.")
        network.add_argument("--plain", action="store_true", help="Don't encrypt what passes between servers.")
        network.add_argument("--way-out", action="store_true", help="Containers on it reach what their server reaches.")
        network.add_argument("--prefix", default="172.30", help="What NOTEBOOK_PREFIX in deploy/.env says (172.30).")
        add = verbs.add_parser("add", help="Print the command that makes a machine a server of this site.")
        add.add_argument("name", help="Its name: small letters, digits and hyphens.")
        add.add_argument("--address", required=True, help="Its address as this machine reaches it.")
        add.add_argument("--by", required=True, help="The admin who adds it, for the record.")
        add.add_argument("--cohort", default="", help="It is somebody's own: for notebooks of this cohort alone.")
        add.add_argument("--again", action="store_true", help="New keys and a new command for one that is there.")
        add.add_argument("--agent-image", default="", help="The site's image; empty: practicum/site of this version.")
        images = verbs.add_parser("images", help="Copy the images of notebooks and scorers to a server.")
        images.add_argument("name")
        images.add_argument("--image", action="append", default=[], help="One more image, such as the site's own.")
        verbs.add_parser("list", help="Which servers there are, and whether their engines answer.")
        remove = verbs.add_parser("remove", help="Take a server out: its keys and tokens open nothing any more.")
        remove.add_argument("name")
        remove.add_argument("--by", required=True, help="The admin who removes it, for the record.")

    def handle(self, *_: Any, verb: str, **options: Any) -> None:
        """Do it, or say in one line why not."""
        if settings.PRACTICUM_ENGINE != "docker":
            raise CommandError("Several servers need container engines; this site runs without one.")
        doing = {
            "network": self.network,
            "add": self.add,
            "images": self.images,
            "list": self.list,
            "remove": self.remove,
        }
        try:
            doing[verb](options)
        except (Fault, Refused) as refusal:
            raise CommandError(str(refusal)) from refusal

    def network(self, options: dict[str, Any]) -> None:
        """The swarm and its network are there."""
        if not PREFIX.fullmatch(options["prefix"]):
            raise CommandError(f"{options['prefix']!r} must be two numbers, such as 172.30.")
        facts = {"advertise": options["address"], "prefix": options["prefix"]}
        facts |= {"is_plain": options["plain"], "has_way_out": options["way_out"]}
        swarm.begin(settings.PRACTICUM_NETWORK, instance=settings.PRACTICUM_INSTANCE, **facts)
        self.stdout.write(f"  The network {settings.PRACTICUM_NETWORK} spans all servers that join.")

    def add(self, options: dict[str, Any]) -> None:
        """Row, keys and token are made; the command is printed, and is kept nowhere."""
        name, address, now = options["name"], options["address"], utc_now()
        if not NAME.fullmatch(name):
            raise CommandError(f"{name!r} is no name for a server: use small letters, digits and hyphens.")
        actor = _admin(options["by"])
        cohort = _cohort(options["cohort"]) if options["cohort"] else None
        token, leader = swarm.open_way_in(settings.PRACTICUM_DATA_DIR / swarm.WAY_IN, now=now)
        agent_token = servers.join(name, is_known=options["again"], actor=actor, now=now, cohort=cohort)
        issuer = authority.Authority(settings.PRACTICUM_DATA_DIR / "authority", now=now)
        pair = issuer.of_engine(name, address=address)
        authority.keep_node(_folder(name), address=address, authority=issuer)
        joining = Joining(
            server=name, address=address, port=authority.PORT, authority=issuer.certificate.decode(),
            certificate=pair.certificate.decode(), key=pair.key.decode(), swarm_token=token, swarm_leader=leader,
            site_url=settings.PRACTICUM_SITE_URL, agent_token=agent_token,
            agent_image=options["agent_image"] or f"practicum/site:{_version()}",
        )  # fmt: skip
        self.stderr.write(
            "  Run this as it is on the new machine within an hour. It carries keys: show it to nobody. Its way into the "
            "swarm is void once a machine came in by it, or after that hour; `server remove` makes all of it void.\n"
        )
        self.stdout.write(command_of(joining))

    def images(self, options: dict[str, Any]) -> None:
        """The server has what containers are started from."""
        names = [settings.PRACTICUM_WORKSPACE_IMAGE, settings.PRACTICUM_SCORER_IMAGE, *options["image"]]
        for name, is_new in swarm.push_images(names, engine=site_engine(), server=options["name"]):
            self.stdout.write(f"  {name} {'was copied' if is_new else 'is there'}")

    def list(self, _: dict[str, Any]) -> None:
        """One line a server."""
        engine, now = site_engine(), utc_now()
        survey = ask_all(engine, lambda one: one.ping(), seconds=ANSWER_SECONDS)
        own = engine.everywhere()
        for server in Server.objects.select_related("cohort").order_by("name"):
            where = "its own engine" if server.name in own else "the site's engine"
            answers = "does not answer" if survey.is_silent(server.name) else "answers"
            agent = "its agent is silent" if selectors.is_silent(server, now=now) else "its agent reports"
            facts = [server.get_state_display().lower(), f"{where} {answers}", agent]
            facts += ["given to nobody until it was looked at"] if server.away_since else []
            facts += [f"for {server.cohort} only"] if server.cohort else []
            self.stdout.write(f"  {server.name}: {'; '.join(facts)}")

    def remove(self, options: dict[str, Any]) -> None:
        """Refused while anybody holds a slot of it. Files that are there come here first, unless it was given up with them."""
        name, actor = options["name"], _admin(options["by"])
        servers.check_unheld(name)
        if not selectors.is_given_up(name):
            for username in homes.fetch_all(name, engine=site_engine(), now=utc_now()):
                self.stdout.write(f"  The files of {username} are here now")
        servers.leave(name, actor=actor, now=utc_now())
        shutil.rmtree(_folder(name), ignore_errors=True)
        self.stdout.write(f"  {name} is out. On the machine: docker swarm leave, and remove /etc/practicum.")


def _admin(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True, role="admin").first()
    if user is None:
        raise CommandError(f"There is no admin called {username}.")
    return user


def _cohort(slug: str) -> Cohort:
    cohort = Cohort.objects.filter(slug=slug).first()
    if cohort is None:
        raise CommandError(f"There is no cohort called {slug}.")
    return cohort


def _folder(name: str) -> Path:
    return Path(settings.PRACTICUM_DATA_DIR) / "servers" / name


def _version() -> str:
    from practicum import __version__

    return __version__
