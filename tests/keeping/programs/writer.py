"""Run in a site while it is backed up: writes pairs of records, both or neither, until its standard input ends."""

from __future__ import annotations

import os
import select
import sys

from django.db import transaction

from practicum.audit.services import record_of_the_site
from practicum.lib.clock import utc_now

number = 0
print("writing", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    with transaction.atomic():
        for half in ("left", "right"):
            record_of_the_site(f"test.{half}", now=utc_now(), number=number, padding=os.urandom(1000).hex())
    number += 1
print(number, flush=True)
