"""Reservations as a calendar that calendar programs subscribe to: RFC 5545, and the secret in its address.

The address is signed and names the person and the number of their feed; a renewal raises the number. Whoever has it
reads when which cohort has slots, and nothing else. Times are in UTC, so that no time zone needs to be described.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.signing import BadSignature, Signer

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.gpus.models import Reservation, ReservationFeed, ReservationState

SALT = "practicum.gpus.reservation_feed"
LINE_OCTETS = 75
REFRESH = timedelta(hours=1)
STATUSES = {
    ReservationState.REQUESTED: "TENTATIVE",
    ReservationState.GRANTED: "CONFIRMED",
    ReservationState.REFUSED: "CANCELLED",
    ReservationState.CANCELLED: "CANCELLED",
}


def secret_of(user: User) -> str:
    """What stands in the address of this person's feed."""
    feed = ReservationFeed.objects.filter(user=user).first()
    return Signer(salt=SALT, sep=".").sign(f"{user.uuid.hex}-{feed.number if feed else 0}")


def holder_of(secret: str) -> User:
    """The person whose feed this is.

    Raises:
        NotFound: the secret was not given out, was renewed since, or the person has no reservations to see any more.
    """
    try:
        subject, _, number = Signer(salt=SALT, sep=".").unsign(secret).partition("-")
    except BadSignature as error:
        raise NotFound from error
    user = User.objects.select_related("reservation_feed").filter(uuid=UUID(subject), is_active=True).first()
    if user is None or not (user.is_mentor or user.is_admin):
        raise NotFound
    feed = getattr(user, "reservation_feed", None)
    if int(number) != (feed.number if feed else 0):
        raise NotFound
    return user


def calendar(reservations: Iterable[Reservation], *, site_url: str, host: str) -> str:
    """A calendar of one event a reservation. ``host`` makes their names unique in the world and is never to change."""
    hours = int(REFRESH.total_seconds() // 3600)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Practicum//Reservations//EN", "CALSCALE:GREGORIAN"]
    lines += ["X-WR-CALNAME:GPU reservations", f"REFRESH-INTERVAL;VALUE=DURATION:PT{hours}H"]
    for row in reservations:
        lines += _event(row, site_url=site_url, host=host)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in fold(line))


def _event(row: Reservation, *, site_url: str, host: str) -> list[str]:
    status = STATUSES[ReservationState(row.state)]
    changed = row.decided_at or row.requested_at
    said = [row.purpose, f"{row.get_state_display()}; {row.requested_by} asked for it.", row.answer]
    return [
        "BEGIN:VEVENT",
        f"UID:reservation-{row.pk}@{host}",
        f"DTSTAMP:{moment(changed)}",
        f"LAST-MODIFIED:{moment(changed)}",
        f"SEQUENCE:{_sequence(row)}",
        f"DTSTART:{moment(row.starts_at)}",
        f"DTEND:{moment(row.ends_at)}",
        f"SUMMARY:{escape(f'{row.slots} × {row.pool} for {row.cohort}')}",
        f"DESCRIPTION:{escape(chr(10).join(part for part in said if part))}",
        f"STATUS:{status}",
        f"TRANSP:{'OPAQUE' if status == 'CONFIRMED' else 'TRANSPARENT'}",
        f"URL:{site_url}/reservations/{row.pk}/",
        "END:VEVENT",
    ]


def _sequence(row: Reservation) -> int:
    """How often it moved: asked for, answered, given up."""
    return {ReservationState.REQUESTED: 0, ReservationState.CANCELLED: 2}.get(ReservationState(row.state), 1)


def moment(at: datetime) -> str:
    """RFC 5545, 3.3.5, form 2: a time in UTC."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def escape(text: str) -> str:
    """RFC 5545, 3.3.11: backslash, semicolon, comma and line break; other control characters may not stand in it."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\n"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return "".join(letter for letter in text if letter == "\t" or (letter >= " " and letter != "\x7f"))


def fold(line: str) -> Iterator[str]:
    """RFC 5545, 3.1: pieces of at most 75 octets, each but the first begun with a space, no letter cut in two."""
    piece, octets = "", 0
    for letter in line:
        size = len(letter.encode())
        if octets + size > LINE_OCTETS:
            yield piece
            piece, octets = " ", 1
        piece, octets = piece + letter, octets + size
    yield piece
