"""Secrets in files: private keys and the tokens of well-known services, known by how they look, as gitleaks does it."""

from __future__ import annotations

import re

PATTERNS = {
    "private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\r?\n|\\n)(?:[A-Za-z-]+: .*\s+)*[A-Za-z0-9+/=]{40}",
    "token of GitHub": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})",
    "token of GitLab": rb"\bglpat-[A-Za-z0-9_-]{20}",
    "key of AWS": rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "key of Google": rb"\bAIza[A-Za-z0-9_-]{35}\b",
    "token of Slack": rb"\bxox[abprs]-[A-Za-z0-9-]{10}",
    "token of Hugging Face": rb"\bhf_[A-Za-z]{34}\b",
    "token of PyPI": rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50}",
    "token of npm": rb"\bnpm_[A-Za-z0-9]{36}\b",
}
ANY = re.compile(b"|".join(b"(%s)" % pattern for pattern in PATTERNS.values()))
# What each pattern must begin with: looked for first, for most files hold none of it.
BEGINNINGS = (
    b"PRIVATE KEY",
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"AKIA",
    b"ASIA",
    b"AIza",
    b"xox",
    b"hf_",
    b"pypi-AgEI",
    b"npm_",
)
# Built here, so that this file holds none.
EXAMPLES = {
    "private key": b"-----BEGIN RSA " + b"PRIVATE KEY-----\n" + b"MIIEow" * 10 + b"\n",
    "token of GitHub": b"token: ghp" + b"_" + b"a1B2c3" * 6,
    "token of GitLab": b"glpat" + b"-" + b"a1B2c3D4e5" * 2,
    "key of AWS": b"AKI" + b"A" + b"ABCDEFGH" * 2,
    "key of Google": b"AIz" + b"a" + b"a1B2c" * 7,
    "token of Slack": b"xoxb" + b"-" + b"1234567890",
    "token of Hugging Face": b"hf" + b"_" + b"ab" * 17,
    "token of PyPI": b"pypi" + b"-AgEIcHlwaS5vcmc" + b"a1" * 25,
    "token of npm": b"npm" + b"_" + b"a1B2c3" * 6,
}


def secrets_in(content: bytes) -> list[str]:
    """The kinds of secrets there are."""
    if not any(beginning in content for beginning in BEGINNINGS):
        return []
    kinds = list(PATTERNS)
    return sorted({kinds[found.lastindex - 1] for found in ANY.finditer(content) if found.lastindex})
