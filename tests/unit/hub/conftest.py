"""What the hub's unit tests share: a claim as the site answers it."""

from __future__ import annotations

from typing import Any

import pytest

UUID = "GPU-5d3c0b1a-0000-4000-8000-000000000001"


@pytest.fixture
def answer() -> dict[str, Any]:
    """The site's answer for an intern with a GPU."""
    return {
        "session": "7d0f3c5e-0000-4000-8000-00000000000a",
        "lease": {"id": "l-1", "token": 7, "until": "2026-03-02T12:00:00Z"},
        "slot": {"kind": "gpu", "uuid": UUID, "label": "GPU 0 · H100"},
        "image": "practicum/workspace:1",
        "volume": "practicum-home-ines",
        "mounts": [{"source": "/srv/public", "target": "/data", "read_only": True}],
        "environment": {"PRACTICUM_PROJECT": "digits", "PRACTICUM_TOKEN": "t" * 40, "NVIDIA_VISIBLE_DEVICES": "all"},
        "limits": {"cpus": 2.0, "memory_bytes": 4 << 30, "pids": 512, "shm_bytes": 1 << 30},
        "labels": {
            "org.practicum.managed": "1",
            "org.practicum.instance": "test",
            "org.practicum.kind": "session",
            "org.practicum.lease": "l-1",
            "org.practicum.token": "7",
        },
        "project_dir": "/srv/project",
    }
