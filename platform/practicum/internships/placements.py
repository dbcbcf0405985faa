"""What changes who comes to which project: mentors rank, a proposal is made, adjusted, and confirmed once.

Confirming makes the internships. It locks the cohort's row and takes only what the admin has seen; confirmed again, it
finds nothing left to do.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.catalog.selectors import latest_version
from practicum.errors import Conflict, Invalid
from practicum.internships import telling
from practicum.internships.models import Application, ApplicationState, Cohort, MentorRanking, Offer, Placement
from practicum.internships.placement_selectors import Market, Proposal, candidates_of, proposal_of
from practicum.internships.services import check_admin, start_internship


@transaction.atomic
def rank_applicants(mentor: User, *, cohort: Cohort, ranked: list[int], now: datetime) -> MentorRanking:
    """The mentor would take these, the dearest first, and nobody else.

    Raises:
        Invalid: one is named twice, or is none of the cohort's candidates.
    """
    known = {one.application.pk for one in candidates_of(mentor, cohort=cohort)}
    if len(set(ranked)) != len(ranked) or not set(ranked) <= known:
        raise Invalid("Rank each applicant once, and only those of the list.")
    row, _ = MentorRanking.objects.update_or_create(
        cohort=cohort, mentor=mentor, defaults={"ranked": ranked, "changed_at": now}
    )
    record("matching.ranked", subject=row, actor=mentor, now=now, count=len(ranked))
    return row


@transaction.atomic
def propose(actor: User, *, cohort: Cohort, now: datetime) -> int:
    """Propose anew for everybody who has a place and is in no project; adjustments so far are gone. How many are placed.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: nobody is there to place, or nothing is offered.
    """
    check_admin(actor)
    Cohort.objects.select_for_update().get(pk=cohort.pk)
    market = Market(cohort)
    if not market.applications:
        raise Conflict("Nobody has a place who is not in a project already. Offer places first.")
    if not market.offers:
        raise Conflict("The cohort offers no project. Offer some in its settings first.")
    outcome = market.proposal()
    Placement.objects.filter(application__cohort=cohort, confirmed_at__isnull=True).delete()
    Placement.objects.bulk_create(
        Placement(application=row, proposed_id=outcome.get(pk), offer_id=outcome.get(pk), made_at=now)
        for pk, row in market.applications.items()
    )
    record("matching.proposed", subject=cohort, actor=actor, now=now, placed=len(outcome))
    return len(outcome)


@transaction.atomic
def adjust(actor: User, *, placement: Placement, offer: Offer | None, now: datetime) -> None:
    """Put somebody elsewhere, or nowhere, before it is confirmed.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: the offer is another cohort's.
        Conflict: it was confirmed, or proposed anew, meanwhile.
    """
    check_admin(actor)
    if offer is not None and offer.cohort_id != placement.application.cohort_id:
        raise Invalid("This project is not offered in the cohort.")
    if not Placement.objects.filter(pk=placement.pk, confirmed_at__isnull=True).update(offer=offer):
        raise Conflict("This was confirmed, or proposed anew, meanwhile.")
    record("matching.adjusted", subject=placement, actor=actor, now=now, offer=str(offer) if offer else None)


@transaction.atomic
def confirm(actor: User, *, cohort: Cohort, seen: str, now: datetime) -> int:
    """Begin an internship for everybody who is placed, and tell everybody why; returns how many. 0: nothing was left.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: the proposal changed since it was ``seen``, an offer holds too many, or somebody is in an internship.
    """
    check_admin(actor)
    cohort = Cohort.objects.select_for_update().get(pk=cohort.pk)
    proposal = proposal_of(cohort)
    if not proposal.placements:
        return 0
    if seen != proposal.seen:
        raise Conflict("The proposal has changed meanwhile. Look at it again before you confirm it.")
    if proposal.overfull:
        raise Conflict(f"{proposal.overfull[0]} has fewer places than people placed on it. Adjust that first.")
    placed = [_begin(row, proposal=proposal, actor=actor, now=now) for row in proposal.placements if row.offer_id]
    for row in proposal.placements:
        if row.offer_id is None:
            telling.not_placed(row.application, why=proposal.why(row), now=now)
            row.delete()
    _tell_mentors(placed, now=now)
    record("matching.confirmed", subject=cohort, actor=actor, now=now, placed=len(placed))
    return len(placed)


def _begin(row: Placement, *, proposal: Proposal, actor: User, now: datetime) -> Placement:
    offer, application = row.offer, row.application
    assert offer is not None
    internship = start_internship(
        application.applicant,
        mentor=offer.mentor,
        cohort=proposal.market.cohort,
        version=latest_version(offer.project.slug),
        actor=actor,
        now=now,
    )
    Placement.objects.filter(pk=row.pk).update(confirmed_at=now)
    Application.objects.filter(pk=application.pk).update(state=ApplicationState.PLACED)
    telling.placed(internship, why=proposal.why(row), now=now)
    return row


def _tell_mentors(placed: list[Placement], *, now: datetime) -> None:
    by_mentor: dict[User, list[Placement]] = {}
    for row in placed:
        assert row.offer is not None
        by_mentor.setdefault(row.offer.mentor, []).append(row)
    for mentor, rows in by_mentor.items():
        telling.interns_placed(mentor, rows, now=now)
