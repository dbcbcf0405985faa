"""A notebook runs code of its own at a host of the same domain. What that host may set, by the rules of browsers (RFC 6265bis,
4.1.3: ``__Host-``), is no cookie of the site's or the hub's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from practicum_hub.configure import configure
from tests.unit.config.test_compose import rendered

ROOT = Path(__file__).resolve().parents[3]
SHOW = """
import json
from django.conf import settings as s
print(json.dumps([s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,
                  s.SESSION_COOKIE_DOMAIN, s.CSRF_COOKIE_DOMAIN, s.SESSION_COOKIE_PATH, s.CSRF_COOKIE_PATH,
                  s.SESSION_COOKIE_HTTPONLY]))
"""


def test_no_notebook_can_set_a_cookie_for_the_site(tmp_path: Path) -> None:
    given = rendered()["services"]["web"]["environment"] | {"PRACTICUM_DATA_DIR": str(tmp_path)}
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "platform"),
        "DJANGO_SETTINGS_MODULE": "practicum.config.settings",
    }
    said = subprocess.run(
        [sys.executable, "-c", SHOW], env=env | given, capture_output=True, text=True, check=True
    ).stdout
    session, csrf, *rules = json.loads(said)
    assert (session[:7], csrf[:7]) == ("__Host-", "__Host-")
    # Without these a browser refuses a name that begins so.
    assert rules == [True, True, None, None, "/", "/", True]


def test_no_notebook_can_set_a_cookie_for_the_hub() -> None:
    hub = configure(rendered()["services"]["hub"]["environment"])["JupyterHub"]
    assert hub["cookie_host_prefix_enabled"] is True
    assert hub["public_url"].startswith("https://")
