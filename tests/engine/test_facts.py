"""What the real engine says of itself is read as it is meant."""

from __future__ import annotations

import os

import pytest

from practicum.config.doctor.findings import numbers
from practicum.engine.facts import engine_facts

pytestmark = pytest.mark.engine


def test_the_engine_tells_its_version_its_limits_and_its_images() -> None:
    image = os.environ["PRACTICUM_SCORER_IMAGE"]
    facts = engine_facts([image, "practicum/no-such-image:1"])
    assert numbers(facts.version) >= (20, 10)
    assert facts.images == {image: True, "practicum/no-such-image:1": False}
    assert facts.missing_limits == ()
    assert facts.filters_system_calls
    assert facts.root
