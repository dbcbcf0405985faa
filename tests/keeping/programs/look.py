"""Run in a restored site: what opens anything, what goes on, and that each evaluation that waited is run once."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections
from django.test import Client

from practicum.audit.models import Record
from practicum.engine import LABEL_KIND, LABEL_RUN
from practicum.engine.memory import CLEAN_EXIT, MemoryEngine, Script
from practicum.evaluation import tasks
from practicum.evaluation.models import Run, Score
from practicum.gpus.models import Lease
from practicum.lib.clock import utc_now
from practicum.workspaces.models import Session

settings.ALLOWED_HOSTS = ["*"]


def answers(secrets: dict[str, Any]) -> dict[str, int]:
    """What each of the old secrets gets."""
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = secrets["cookie"]

    def post(path: str, token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return client.post(path, data="{}", content_type="application/json", headers=headers).status_code

    return {
        "cookie": client.get("/").status_code,
        "agent": post("/api/agent/report", secrets["agent"]),
        "workspace": post("/api/workspace/activity", secrets["workspace"]),
    }


def work() -> dict[str, Any]:
    """Two workers at once, until nothing waits: how often each run was started, and what became of it."""
    metrics = {name for run in Run.objects.all() for name in [run.submission.version.metric["name"]]}
    engine = MemoryEngine()
    engine.will("predict", Script(exit=CLEAN_EXIT))
    line = json.dumps({"metrics": dict.fromkeys(metrics, 0.5)}) + "\n"
    engine.will("score", Script(stdout="READY\n", prints_on_signal=line))
    before = set(Score.objects.values_list("run", flat=True))
    waiting = list(Run.objects.filter(state="queued").values_list("pk", flat=True))

    def worker(name: str) -> None:
        for _ in range(20):
            if not tasks.claim_and_run(utc_now(), engine=engine, worker_name=name):
                break
        connections.close_all()

    threads = [threading.Thread(target=worker, args=(f"worker-{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    started = Counter(int(spec.labels[LABEL_RUN]) for spec in engine.started if spec.labels[LABEL_KIND] == "predict")
    after = dict(Run.objects.filter(pk__in=waiting).values_list("pk", "state"))
    tries = dict(Run.objects.filter(pk__in=waiting).values_list("pk", "tries"))
    scores = Counter(Score.objects.exclude(run__in=before).values_list("run", flat=True))
    return {"started": started, "states": after, "tries": tries, "scores": scores}


def main() -> None:
    """Look."""
    secrets = json.loads(sys.stdin.read())
    rows = dict(Run.objects.filter(state__in=["queued", "running"]).values_list("pk", "state"))
    with connection.cursor() as cursor:
        kept = {}
        for name in ("django_session", "oauth2_provider_accesstoken", "oauth2_provider_refreshtoken",
                     "oauth2_provider_grant", "oauth2_provider_idtoken"):  # fmt: skip
            cursor.execute(f"SELECT count(*) FROM {name}")
            kept[name] = cursor.fetchone()[0]
    halves = Counter(Record.objects.filter(verb__startswith="test.").values_list("facts__number", flat=True))
    told = {
        "grants": kept,
        "answers": answers(secrets),
        "sessions": list(Session.objects.filter(reason__icontains="restored").values_list("state", "reason")),
        "open_leases": Lease.objects.filter(state__in=["queued", "granted", "active", "draining"]).count(),
        "open_sessions": Session.objects.filter(state__in=["queued", "starting", "running", "stopping"]).count(),
        "waiting": rows,
        "torn": [number for number, count in halves.items() if count != 2],
        "pairs": len(halves),
        "restored": list(Record.objects.filter(verb="site.restored").values_list("facts__backup", flat=True)),
        "cookie_secret": (Path(settings.PRACTICUM_DATA_DIR) / "hub" / "cookie_secret").exists(),
    }
    print(json.dumps(told | {"work": work()}))


main()
