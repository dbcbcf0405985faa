"""Run in a site: what the worker's daily step does, twice. Prints whether each made a backup."""

from __future__ import annotations

import json

from practicum.config.engine import site_engine
from practicum.config.keeping import schedule
from practicum.lib.clock import utc_now

print(json.dumps([schedule.step(utc_now(), engine=site_engine()) for _ in range(2)]))
