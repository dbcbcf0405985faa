"""Django's ``check --deploy`` with the settings a production server has; any warning fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("SECRET_KEY", "HUB_API_TOKEN", "HUB_SITE_TOKEN", "OIDC_CLIENT_SECRET", "SPLIT_SECRET")
PRODUCTION = {
    "PRACTICUM_ENV": "production",
    "PRACTICUM_SITE_URL": "https://practicum.example.org",
    "PRACTICUM_HUB_URL": "https://hub.practicum.example.org",
    "PRACTICUM_HUB_API_URL": "http://hub:8081/hub/api",
    "PRACTICUM_DATABASE_URL": "postgresql://practicum@database/practicum",
    "PRACTICUM_EMAIL_HOST": "mail.example.org",
    "PRACTICUM_EMAIL_FROM": "practicum@example.org",
    **{f"PRACTICUM_{name}": f"{index:02d}" + "k3Jx9qLw7Rz5TvB2" * 4 for index, name in enumerate(SECRETS)},
}


def main() -> int:
    """Run the check."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRACTICUM_")}
    command = [sys.executable, str(ROOT / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env=kept | PRODUCTION, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
