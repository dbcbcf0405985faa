"""Run in a site: people signed in, tokens, notebooks that run and wait, evaluations that run and wait. Prints the secrets."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client
from jupyterhub import orm
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken

from practicum.accounts.models import User
from practicum.evaluation import claims, services
from practicum.gpus.models import Lease, Pool, PoolKind, Server, Slot, SlotKind
from practicum.gpus.tokens import make_token
from practicum.internships.models import Internship
from practicum.lib.clock import utc_now
from practicum.submissions.models import Submission
from practicum.workspaces.models import Session
from practicum.workspaces.tokens import mint_token

NOW = utc_now()
LONG_AGO = NOW - timedelta(days=2)


def a_notebook(internship: Internship, *, slot: Slot | None) -> Session:
    """A running one on the slot, or one in line."""
    held: dict[str, Any] = {"state": "queued"}
    if slot is not None:
        held = {"state": "active", "slot": slot, "token": 3, "granted_at": NOW, "lease_until": NOW + timedelta(hours=4)}
    lease = Lease.objects.create(
        user=internship.intern, cohort=internship.cohort, duration=timedelta(hours=4), requested_at=NOW, **held
    )
    state = "running" if slot else "queued"
    deadline = NOW + timedelta(hours=4)
    return Session.objects.create(
        user=internship.intern, internship=internship, lease=lease, state=state, requested_at=NOW, deadline=deadline
    )


def a_hub(folder: Path, *, person: User) -> str:
    """The hub's own database with a person whose server runs; a token of theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cookie_secret").write_text("by which cookies are signed")
    opened = orm.new_session_factory(f"sqlite:///{folder}/jupyterhub.sqlite")()
    user = orm.User(name=person.username)
    opened.add(user)
    opened.add(orm.Spawner(user=user, name="", server=orm.Server(ip="10.0.0.9", port=8888), state={"object_id": "abc"}))
    opened.add(orm.OAuthClient(identifier="jupyterhub", description="the hub itself"))
    opened.commit()
    token = orm.APIToken.new(user=user, note="pass")
    opened.close()
    return str(token)


def main() -> None:
    """Fill it."""
    going_on = list(Internship.objects.filter(state="active").select_related("intern", "cohort").order_by("pk")[:3])
    person = going_on[0].intern
    client = Client()
    client.force_login(person)
    application = Application.objects.get()
    granted = {"user": person, "application": application, "expires": NOW + timedelta(days=1)}
    access = AccessToken.objects.create(token="access", scope="openid", **granted)
    RefreshToken.objects.create(user=person, application=application, token="refresh", access_token=access)
    Grant.objects.create(code="code", redirect_uri="http://127.0.0.1/", scope="openid", **granted)
    IDToken.objects.create(scope="openid", **granted)

    server = Server.objects.create(name="gpu-1", seen_at=NOW)
    pool = Pool.objects.create(slug="cpu", name="CPU slots", kind=PoolKind.CPU)
    slot = Slot.objects.create(server=server, pool=pool, kind=SlotKind.CPU, index=0, uuid="cpu-0", model="CPU")
    running = a_notebook(going_on[0], slot=slot)
    a_notebook(going_on[1], slot=None)

    admin = User.objects.get(username="ada")
    ids = []
    scored = Submission.objects.filter(runs__state="scored").distinct().order_by("pk")
    simple = [each for each in scored if not each.version.is_divided]
    for number, submission in enumerate(simple[:3]):
        submission.version.hidden_folder.joinpath("inputs").mkdir(parents=True, exist_ok=True)
        submission.version.hidden_folder.joinpath("answers").mkdir(parents=True, exist_ok=True)
        (submission.version.hidden_folder / "answers" / "answers.npz").write_bytes(b"the hidden answers")
        run = services.rerun(submission, actor=admin, now=NOW if number else LONG_AGO)
        ids.append(run.pk)
    taken = claims.claim_next(worker="the-old-host", now=LONG_AGO)
    assert taken is not None, "the first of them runs"
    print(
        json.dumps(
            {
                "cookie": client.cookies[settings.SESSION_COOKIE_NAME].value,
                "agent": make_token(server, actor=admin, now=NOW),
                "workspace": mint_token(running, expires_at=NOW + timedelta(hours=4), now=NOW),
                "hub": a_hub(Path(settings.PRACTICUM_DATA_DIR) / "hub", person=person),
                "runs": ids,
                "running": taken.pk,
            }
        )
    )


main()
