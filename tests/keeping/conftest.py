"""What every test of backups needs: fail early, and say why, where restic is missing."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(scope="session", autouse=True)
def restic() -> None:
    """The program is there."""
    assert shutil.which("restic"), "These tests need restic: apt-get install restic"
