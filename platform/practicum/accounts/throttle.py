"""How often a sign-in may fail: counted per account and address, and per address over all accounts; and how often
anything else may be asked for by somebody who is not signed in (:func:`take_turn`).

An account that does not exist is counted like one that does, so the counters tell nobody which accounts there are.
Only digests are kept, in Django's cache, and each counter is forgotten when its window is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.cache import cache

from practicum.errors import TooMany
from practicum.lib.digest import digest_bytes

WINDOW = timedelta(minutes=10)
FAILURES_PER_ACCOUNT = 6
FAILURES_PER_ADDRESS = 60


class TooManyAttempts(TooMany):
    """Sign-in failed too often from here; the message says when it opens again."""

    code = "too_many_attempts"


def check_open(account: str, *, address: str, now: datetime) -> None:
    """Let an attempt through.

    Raises:
        TooManyAttempts: a counter is full; ``until`` is when its window ends.
    """
    for key, limit in _counters(account, address=address):
        failures, until = _read(key, now=now)
        if failures >= limit:
            minutes = max(1, round((until - now).total_seconds() / 60))
            raise TooManyAttempts(
                f"Too many attempts. Try again in {minutes} minute{'s' if minutes != 1 else ''}.", until=until
            )


def note_failure(account: str, *, address: str, now: datetime) -> None:
    """Count one failed attempt; the window begins with the first."""
    for key, _ in _counters(account, address=address):
        failures, until = _read(key, now=now)
        cache.set(key, (failures + 1, until), timeout=(until - now).total_seconds())


def forget_failures(account: str, *, address: str) -> None:
    """Start this account at this address from nothing, after it signed in."""
    (key, _), *_ = _counters(account, address=address)
    cache.delete(key)


def take_turn(kind: str, *, who: str, limit: int, window: timedelta, now: datetime) -> None:
    """Count one more ``kind`` of request by ``who``, of which there may be ``limit`` in a window.

    Raises:
        TooManyAttempts: the window is full; ``until`` is when it ends.
    """
    key = f"{kind}-{digest_bytes(who.strip().lower().encode())}"
    count, until = cache.get(key, (0, now + window))
    if until <= now:
        count, until = 0, now + window
    if count >= limit:
        minutes = max(1, round((until - now).total_seconds() / 60))
        raise TooManyAttempts(
            f"Too many requests. Try again in {minutes} minute{'s' if minutes != 1 else ''}.", until=until
        )
    cache.set(key, (count + 1, until), timeout=(until - now).total_seconds())


def _read(key: str, *, now: datetime) -> tuple[int, datetime]:
    failures, until = cache.get(key, (0, now + WINDOW))
    return (failures, until) if until > now else (0, now + WINDOW)


def _counters(account: str, *, address: str) -> list[tuple[str, int]]:
    pair = digest_bytes(f"{account.strip().lower()}\0{address}".encode())
    alone = digest_bytes(address.encode())
    return [(f"sign-in-account-{pair}", FAILURES_PER_ACCOUNT), (f"sign-in-address-{alone}", FAILURES_PER_ADDRESS)]
