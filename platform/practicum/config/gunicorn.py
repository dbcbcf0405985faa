"""What gunicorn is told beyond its command line (``--config=python:practicum.config.gunicorn``): its own lines go where the
site's go and look like them, and each of its processes counts where all of them can be added up.

Counting in several processes is prometheus_client's own mode: each writes to files of its own in one folder, and whichever is
asked for /metrics adds them up. The folder lives in memory and with this server: counters begin anew with it, which
Prometheus knows how to read. https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from practicum.lib.garbage import spare_what_is_loaded

MEMORY = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
FORMAT = os.environ.get("PRACTICUM_LOG_FORMAT") or "line"

# Read by prometheus_client when it is first imported, in each process that answers requests.
os.environ[FOLDER] = tempfile.mkdtemp(prefix="practicum-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)

logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "ids": {"()": "practicum.config.logs.Ids"},
        "requests": {"()": "practicum.config.logs.WithoutRequest"},
    },
    "formatters": {
        "line": {"format": "%(levelname)s %(name)s: %(message)s%(suffix)s"},
        "json": {"()": "practicum.config.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": FORMAT, "filters": ["ids", "requests"]},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


def post_worker_init(worker: Any) -> None:
    """The site is loaded; from now on requests are answered."""
    del worker
    spare_what_is_loaded()


def child_exit(server: Any, worker: Any) -> None:
    """What a process that ended counted stays counted; what it held just now does not."""
    del server
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """The folder goes with the server."""
    del server
    shutil.rmtree(os.environ[FOLDER], ignore_errors=True)
