"""Where mentors ask for slots and admins answer, and the calendar feed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import get_current_timezone, get_current_timezone_name, localdate
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only, staff_only
from practicum.errors import Invalid
from practicum.gpus import reservation_feed, reservation_selectors, reservations
from practicum.gpus.models import Reservation, ReservationState
from practicum.gpus.reservation_forms import AnswerForm, ReasonForm, ReservationForm
from practicum.gpus.reservation_rules import LONGEST, Booking
from practicum.gpus.reservation_strip import strip_of
from practicum.gpus.reservations import ReservationClash, UnfitReservation
from practicum.lib.clock import utc_now
from practicum.lib.digest import digest_bytes

UNUSABLE = 400
CHANGED = 409


@staff_only
@require_safe
def desk(request: PersonRequest) -> HttpResponse:
    """What waits for an answer, what is coming, what is past, and the calendar's address."""
    path = reverse("gpus:reservation_feed", args=[reservation_feed.secret_of(request.user)])
    facts = {
        "desk": reservation_selectors.desk_of(request.user, now=utc_now()),
        "feed": settings.PRACTICUM_SITE_URL + path,
        "zone": get_current_timezone_name(),
    }
    return render(request, "gpus/reservations.html", facts)


@staff_only
@require_http_methods(["GET", "POST"])
def new(request: PersonRequest) -> HttpResponse:
    """Ask for slots in two steps: ``check`` shows what it would meet, ``ask`` sends exactly what was shown."""
    form = ReservationForm(
        request.POST if request.method == "POST" else None,
        user=request.user,
        today=localdate(),
        zone=get_current_timezone_name(),
        initial={"day": localdate() + timedelta(days=1)},
    )
    status, facts = 200, _prospect(form) if form.is_bound else {}
    step, checked = request.POST.get("step"), request.POST.get("checked")
    if form.errors:
        status = UNUSABLE
    elif step == "ask":
        if checked == facts["checked"]:
            return _ask(request, form)
        status, facts["is_changed"] = CHANGED, True
    return _new_page(request, form, facts, status=status)


def _new_page(request: PersonRequest, form: ReservationForm, facts: dict[str, Any], *, status: int) -> HttpResponse:
    if request.headers.get("HX-Request"):  # the live preview: only the part below the form, which always shows
        return render(request, "gpus/_prospect.html", {"form": form, **facts})
    missing = {name: not form.fields[name].queryset.exists() for name in ("pool", "cohort")}  # type: ignore[attr-defined]
    return render(request, "gpus/reservation_new.html", {"form": form, "missing": missing, **facts}, status=status)


def _prospect(form: ReservationForm) -> dict[str, Any]:
    """What the booking would meet, if the form can be read and the booking is fit to be asked for."""
    if not form.is_valid():
        return {}
    cohort, pool = form.cleaned_data["cohort"], form.cleaned_data["pool"]
    form.tell(reservations.refusals_of(form.booking, cohort=cohort, pool=pool, now=utc_now()))
    return {} if form.errors else _outlook_of(form.booking, pool_id=pool.pk, pool=pool)


def _outlook_of(booking: Booking, *, pool_id: int, pool: Any) -> dict[str, Any]:
    zone = get_current_timezone()
    situation = reservation_selectors.situation_of(
        pool_id, starts_at=booking.starts_at - LONGEST, ends_at=booking.ends_at + LONGEST
    )
    outlook = situation.outlook(booking, zone=zone)
    clashes = [clash.sentence(zone) for clash in outlook.clashes]
    shortages = [shortage.sentence(zone) for shortage in outlook.shortages]
    shown = repr((pool_id, booking, clashes, shortages))
    return {
        "booking": booking,
        "pool": pool,
        "is_possible": outlook.is_possible and booking.slots <= situation.slots,
        "clashes": clashes,
        "shortages": shortages,
        "strip": strip_of(booking, others=situation.bookings, slots=situation.slots, zone=zone),
        "checked": digest_bytes(shown.encode()),
    }


def _ask(request: PersonRequest, form: ReservationForm) -> HttpResponse:
    asked, booking = form.cleaned_data, form.booking
    try:
        reservations.request_reservation(
            request.user,
            cohort=asked["cohort"],
            pool=asked["pool"],
            slots=booking.slots,
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            purpose=asked["purpose"],
            now=utc_now(),
        )
    except UnfitReservation as refusal:
        form.tell(refusal.facts["refusals"])  # type: ignore[arg-type]
        return _new_page(request, form, {}, status=refusal.status)
    except ReservationClash as refusal:
        return _new_page(request, form, _prospect(form) | {"is_changed": True}, status=refusal.status)
    messages.success(request, "Asked for. The answer of an admin shows here.")
    return redirect("gpus:reservations")


@staff_only
@require_safe
def reservation(request: PersonRequest, reservation_id: int) -> HttpResponse:
    """One reservation, with what it meets; to admins with the answer's form."""
    row = reservation_selectors.reservation_for(request.user, reservation_id=reservation_id)
    return _page(request, row)


def _page(
    request: PersonRequest,
    row: Reservation,
    *,
    answer_form: AnswerForm | None = None,
    reason_form: ReasonForm | None = None,
    status: int = 200,
) -> HttpResponse:
    now = utc_now()
    is_ahead = row.ends_at > now
    may_take_back = is_ahead and reservations.may_take_back(row, person=request.user)
    facts: dict[str, Any] = {"reservation": row, "is_ahead": is_ahead, "zone": get_current_timezone_name()}
    if row.state in reservation_selectors.BOOKED:
        facts |= _outlook_of(reservation_selectors.booking_of(row), pool_id=row.pool_id, pool=row.pool)
    if row.state == ReservationState.REQUESTED:
        facts |= {"may_withdraw": may_take_back}
        if request.user.is_admin and is_ahead:
            facts["answer_form"] = answer_form or AnswerForm()
    if row.state == ReservationState.GRANTED and may_take_back:
        facts["reason_form"] = reason_form or ReasonForm()
    return render(request, "gpus/reservation.html", facts, status=status)


@admins_only
@require_POST
def decide(request: PersonRequest, reservation_id: int) -> HttpResponse:
    """Grant or refuse, as ``choice`` says."""
    row = reservation_selectors.reservation_for(request.user, reservation_id=reservation_id)
    choice = request.POST.get("choice")
    form = AnswerForm(request.POST)
    if choice not in ("grant", "refuse"):
        raise Invalid("Say whether it is granted or refused.")
    if not form.is_valid():
        return _page(request, row, answer_form=form, status=UNUSABLE)
    try:
        reservations.decide_reservation(
            row.pk,
            is_granted=choice == "grant",
            answer=form.cleaned_data["answer"],
            actor=request.user,
            now=utc_now(),
        )
    except (Invalid, ReservationClash) as refusal:
        form.add_error("answer" if refusal.facts.get("field") == "answer" else None, refusal.message)
        return _page(request, row, answer_form=form, status=refusal.status)
    messages.success(request, "It is granted." if choice == "grant" else "It is refused.")
    return redirect("gpus:reservations")


@staff_only
@require_POST
def withdraw(request: PersonRequest, reservation_id: int) -> HttpResponse:
    """Take back what is not answered yet."""
    reservations.withdraw_reservation(reservation_id, actor=request.user, now=utc_now())
    messages.success(request, "It is taken back.")
    return redirect("gpus:reservations")


@staff_only
@require_POST
def cancel(request: PersonRequest, reservation_id: int) -> HttpResponse:
    """Give up what was granted."""
    row = reservation_selectors.reservation_for(request.user, reservation_id=reservation_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, row, reason_form=form, status=UNUSABLE)
    try:
        reservations.cancel_reservation(row.pk, reason=form.cleaned_data["answer"], actor=request.user, now=utc_now())
    except Invalid as refusal:
        form.add_error("answer", refusal.message)
        return _page(request, row, reason_form=form, status=refusal.status)
    messages.success(request, "It is given up; its slots are free for others.")
    return redirect("gpus:reservations")


@staff_only
@require_POST
def renew_feed(request: PersonRequest) -> HttpResponse:
    """Make a new address for the calendar."""
    reservations.renew_feed(request.user, now=utc_now())
    messages.success(request, "The calendar has a new address. Subscribe to it anew; the old one opens nothing.")
    return redirect("gpus:reservations")


@require_safe
def feed(_request: HttpRequest, secret: str) -> HttpResponse:
    """A person's reservations for calendar programs; the secret in the address is the key."""
    user = reservation_feed.holder_of(secret)
    text = reservation_feed.calendar(
        reservation_selectors.reservations_in_feed(user, now=utc_now()),
        site_url=settings.PRACTICUM_SITE_URL,
        host=urlsplit(settings.PRACTICUM_SITE_URL).hostname or "practicum",
    )
    answer = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    answer.headers["Content-Disposition"] = 'inline; filename="reservations.ics"'
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
