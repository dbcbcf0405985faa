"""Where mentors rank applicants, and where an admin sees, adjusts and confirms who comes to which project."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only, mentors_only
from practicum.errors import Invalid
from practicum.internships import placement_selectors as selectors
from practicum.internships import placements
from practicum.internships.forms import RankingForm
from practicum.internships.readiness_selectors import standings_of
from practicum.internships.selectors import cohort_of_admin, offer_of
from practicum.lib.clock import utc_now

UNUSABLE = 400


@mentors_only
@require_http_methods(["GET", "POST"])
def ranking(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Rank the applicants one would take."""
    cohort = selectors.cohort_of_mentor(request.user, slug=cohort_slug)
    candidates = selectors.candidates_of(request.user, cohort=cohort)
    form = RankingForm(request.POST if request.method == "POST" else None, candidates=candidates)
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        placements.rank_applicants(request.user, cohort=cohort, ranked=form.ranked(), now=utc_now())
        messages.success(request, "Your order is saved.")
        return redirect("internships:ranking", cohort.slug)
    standings = standings_of([one.application for one in candidates], cohort=cohort)
    facts = {
        "cohort": cohort,
        "form": form,
        "rows": form.rows(),
        "standings": standings,
        "has_checks": any(standings.values()),
    }
    return render(request, "internships/ranking.html", facts, status=status)


@admins_only
@require_safe
def matching(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """The proposal, what is wrong with it, and what was confirmed."""
    cohort = cohort_of_admin(cohort_slug)
    proposal = selectors.proposal_of(cohort)
    market = proposal.market
    standings = standings_of([row.application for row in proposal.placements], cohort=cohort)
    facts = {
        "standings": standings,
        "has_checks": any(standings.values()),
        "cohort": cohort,
        "proposal": proposal,
        "market": market,
        "offers": list(market.offers.values()),
        "titles": {offer.project.slug: offer.project.title for offer in market.offers.values()},
        "rows": [(row, proposal.why(row)) for row in proposal.placements],
        "confirmed": selectors.confirmed_placements_of(cohort),
    }
    return render(request, "internships/matching.html", facts)


@admins_only
@require_POST
def propose(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Propose anew."""
    cohort = cohort_of_admin(cohort_slug)
    count = placements.propose(request.user, cohort=cohort, now=utc_now())
    messages.success(request, f"The proposal is made: {count} placed.")
    return redirect("internships:matching", cohort.slug)


@admins_only
@require_POST
def adjust(request: PersonRequest, cohort_slug: str, placement_id: int) -> HttpResponse:
    """Put somebody elsewhere; ``offer`` is empty for nowhere."""
    cohort = cohort_of_admin(cohort_slug)
    placement = selectors.placement_of(cohort, placement_id=placement_id)
    chosen = request.POST.get("offer")
    if chosen is None or not (chosen == "" or chosen.isdecimal()):
        raise Invalid("Choose a project of the list, or none.")
    offer = offer_of(cohort, offer_id=int(chosen)) if chosen else None
    placements.adjust(request.user, placement=placement, offer=offer, now=utc_now())
    messages.success(request, f"{placement.application.applicant}: {offer or 'no project'}.")
    return redirect("internships:matching", cohort.slug)


@admins_only
@require_POST
def confirm(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Begin the internships, as the proposal was seen."""
    cohort = cohort_of_admin(cohort_slug)
    count = placements.confirm(request.user, cohort=cohort, seen=request.POST.get("seen", ""), now=utc_now())
    said = f"{count} internship{'' if count == 1 else 's'} begun. Everybody is told why." if count else ""
    messages.success(request, said or "There was nothing left to confirm.")
    return redirect("internships:matching", cohort.slug)
