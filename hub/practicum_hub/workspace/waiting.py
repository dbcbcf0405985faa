"""Follows a submission until its run ends. A site that is away for a moment does not end the wait."""

from __future__ import annotations

import time
from collections.abc import Callable

from practicum_hub.workspace import errors
from practicum_hub.workspace.answers import Submission
from practicum_hub.workspace.client import SiteClient

POLL_SECONDS = 1.0
PATIENCE = 30


def follow(
    client: SiteClient,
    *,
    first: Submission,
    show: Callable[[Submission], None],
    pause: Callable[[float], None] = time.sleep,
) -> Submission:
    """Call ``show`` with every answer, from ``first`` on, until the submission has ended; returns the last.

    Raises:
        SiteAway: ``PATIENCE`` polls in a row had no answer. The submission is in, and the message says so.
        SiteRefused: the site no longer answers this session.
    """
    current, silent = first, 0
    show(current)
    while current.is_open:
        pause(POLL_SECONDS)
        try:
            current, silent = client.submission(first.number), 0
        except errors.SiteAway as failure:
            silent += 1
            if silent >= PATIENCE:
                raise errors.SiteAway(
                    f"#{first.number} is handed in, but the site has stopped answering. See it later: {first.url}"
                ) from failure
            continue
        show(current)
    return current
