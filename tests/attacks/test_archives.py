"""Each hostile archive against the product's intake, and against an unpacker that trusts it."""

from __future__ import annotations

import io
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from practicum.errors import Refused
from practicum.submissions import services, store
from tests.attacks.archives import ARCHIVES, FILES, TOTAL_BYTES, Archive, Place
from tests.attacks.report import Result

pytestmark = [pytest.mark.attack, pytest.mark.django_db]


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], Place]:
    """``place("real")``: a scratch folder with a secret, and a folder to unpack into."""

    def make(name: str) -> Place:
        made = Place(tmp_path / name, tmp_path / name / "into", f"token-{secrets.token_hex(8)}")
        made.into.mkdir(parents=True)
        made.secret.write_text(made.token)
        return made

    return make


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.name)
def test_an_archive_is_refused_or_harmless(
    archive: Archive, place: Callable[[str], Place], version: Any, settings: Any, result: Callable[..., Result]
) -> None:
    began = time.monotonic()
    settings.PRACTICUM_SUBMISSION_MAX_BYTES, settings.PRACTICUM_SUBMISSION_MAX_FILES = TOTAL_BYTES, FILES
    how = archive.unpacker.__name__.replace("_", " ")
    line = result(group="archives", kind="archives", name=archive.name, row=archive.row, title=archive.title, weak=how)
    real, control = place("real"), place("control")

    with pytest.MonkeyPatch.context() as patch:
        # Where the judge looks, and left as it is afterwards: what was written before a refusal counts too.
        patch.setattr(store, "staging", lambda: nullcontext(real.into))
        said = taken_in(archive, place=real, version=version)
    line.real = archive.succeeded(real)
    unpacked(archive, place=control)
    line.control = archive.succeeded(control)
    line.seconds = round(time.monotonic() - began, 2)
    shutil.rmtree(control.scratch, ignore_errors=True)

    assert line.control, f"the weak control ({how}) held too, so this proves nothing"
    assert not line.real, f"A HOLE: {archive.title}: {said}"


def taken_in(archive: Archive, *, place: Place, version: Any) -> str:
    """By the product; what it said."""
    try:
        with services.opened(io.BytesIO(archive.build(place)), version=version):
            return "taken"
    except Refused as refusal:
        return str(refusal)
    except Exception as fault:
        (place.scratch / "crashed").write_text(str(fault))
        raise


def unpacked(archive: Archive, *, place: Place) -> None:
    """By somebody who trusts it."""
    try:
        archive.unpacker(archive.build(place), place.into)
    except Exception as fault:
        (place.scratch / "crashed").write_text(str(fault))
