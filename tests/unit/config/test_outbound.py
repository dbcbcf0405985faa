"""Who of the site calls out, and whose word the address is (SECURITY.md, I4). A new caller is named here, with its guard."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[3] / "platform" / "practicum"
NETWORK = {
    "socket",
    "http.client",
    "httpx",
    "requests",
    "urllib.request",
    "ftplib",
    "smtplib",
    "telnetlib",
    "aiohttp",
    "urllib3",
}
CALLERS = {
    "accounts/webhooks.py": "a person's word: looked up once, checked, and called at the address that was checked",
    "accounts/mail.py": "a setting; it catches what Django's mailer raises",
    "internships/invitations.py": "a setting; it catches what Django's mailer raises",
    "accounts/provider_views.py": "nobody: it catches what the sign-in's library raises, which calls the provider of a setting",
    "workspaces/hub.py": "a setting",
    "portal/health.py": "a setting",
    "config/doctor/network.py": "settings",
    "config/doctor/sign_in.py": "settings",
    "config/doctor/site.py": "settings",
    "config/probe.py": "the word of whoever asks how a container is",
    "config/management/commands/worker.py": "nobody: it asks for this machine's name",
    "credentials/offline/verifier.py": "the word of whoever types it, on their own machine; the site never runs it",
    "engine/docker.py": "a setting",
    "engine/images.py": "a setting",
    "engine/reach.py": "run inside a container, to see what it can reach",
    "engine/wire.py": "a setting",
    "engine/seccomp.py": "nobody: numbers of address families",
}


def imports(file: Path) -> set[str]:
    """The modules that a file imports by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_module_that_can_call_out_is_declared() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if "starter" not in file.parts and "demo" not in file.parts]
    callers = {
        str(file.relative_to(PACKAGE))
        for file in files
        if any(name in NETWORK or name.split(".")[0] in NETWORK for name in imports(file))
    }
    assert callers == set(CALLERS)
