"""How secrets that machines make are kept. People's passwords never get here: the first hasher of the list takes those.

The hub shows its client secret whenever it asks anew about somebody with a notebook open, every 50 s each. A hash that is slow
so that guesses are dear (0.15 s of a core) would cost two hundred notebooks more than half a core, and makes no guess of 32
random characters likelier to fail.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.hashers import BasePasswordHasher, mask_hash
from django.utils.crypto import constant_time_compare


class MachineSecretHasher(BasePasswordHasher):
    """Salted SHA-256, for what is at least 32 random characters (``config/env.py`` holds that)."""

    algorithm = "machine_sha256"

    def encode(self, password: str, salt: str) -> str:
        """``machine_sha256$salt$digest``."""
        digest = hashlib.sha256(f"{salt}{password}".encode()).hexdigest()
        return f"{self.algorithm}${salt}${digest}"

    def decode(self, encoded: str) -> dict[str, Any]:
        """Its parts."""
        algorithm, salt, digest = encoded.split("$", 2)
        return {"algorithm": algorithm, "salt": salt, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        """In a time that says nothing of where they differ."""
        return constant_time_compare(encoded, self.encode(password, self.decode(encoded)["salt"]))

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        """For an admin's eyes."""
        return {**self.decode(encoded), "hash": mask_hash(self.decode(encoded)["hash"])}

    def must_update(self, encoded: str) -> bool:
        """Never: there is nothing that grows."""
        del encoded
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to make up for."""
