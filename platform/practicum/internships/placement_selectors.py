"""Questions about matching: who is ranked how, what is proposed, and what is wrong with it.

A mentor with an offer in the cohort sees the applicants who have a place in it; admins see everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.functional import cached_property

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.internships import matching
from practicum.internships.models import (
    Application,
    ApplicationState,
    Cohort,
    MentorRanking,
    Offer,
    Placement,
)
from practicum.internships.selectors import offers_of
from practicum.lib.digest import digest_bytes

CHOICES = ("first", "second", "third", "fourth", "fifth")


def cohort_of_mentor(mentor: User, *, slug: str) -> Cohort:
    """A cohort that offers a project with this mentor.

    Raises:
        NotFound: it does not.
    """
    cohort = Cohort.objects.filter(slug=slug, offers__mentor=mentor).distinct().first()
    if cohort is None:
        raise NotFound
    return cohort


def cohorts_to_rank(mentor: User) -> QuerySet[Cohort]:
    """Cohorts in which somebody who has a place waits to be ranked by this mentor."""
    rows = Cohort.objects.filter(offers__mentor=mentor, applications__state=ApplicationState.OFFERED)
    return rows.distinct().order_by("starts_on", "pk")


def ranking_of(mentor: User, *, cohort: Cohort) -> list[int]:
    """The numbers of the applications this mentor ranked, the dearest first."""
    row = MentorRanking.objects.filter(mentor=mentor, cohort=cohort).first()
    return list(row.ranked) if row else []


@dataclass(frozen=True)
class Candidate:
    """An applicant as a mentor ranks them: their rank so far, and which choice the mentor's projects are to them."""

    application: Application
    rank: int | None
    choices: list[str]


def candidates_of(mentor: User, *, cohort: Cohort) -> list[Candidate]:
    """Who has a place in the cohort and is in no project yet: those who named one of the mentor's projects first."""
    titles = {o.project.slug: o.project.title for o in offers_of(cohort) if o.mentor_id == mentor.pk}
    ranks = {number: rank for rank, number in enumerate(ranking_of(mentor, cohort=cohort), start=1)}
    rows = Application.objects.filter(cohort=cohort, state=ApplicationState.OFFERED).select_related("applicant")
    candidates = [
        Candidate(row, ranks.get(row.pk), [f"{title}: {choice_in_words(row, slug)}" for slug, title in titles.items()])
        for row in rows.order_by("applicant__name", "pk")
    ]
    return sorted(
        candidates, key=lambda one: (one.rank is None, one.rank or 0, not set(one.application.ranking) & set(titles))
    )


def choice_in_words(application: Application, slug: str) -> str:
    """Which choice a project is to an applicant."""
    if slug not in application.ranking:
        return "not named"
    return f"{CHOICES[application.ranking.index(slug)]} choice"


class Market:
    """A cohort's offers and the applicants who are to be placed, with both sides' orders. Read once, then pure.

    The applicant's order of projects becomes one of offers: of two mentors of a project, the one who ranked the
    applicant higher comes first. Places that were confirmed already are gone.
    """

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort
        self.offers = {offer.pk: offer for offer in offers_of(cohort)}
        rows = Application.objects.filter(cohort=cohort, state=ApplicationState.OFFERED).select_related("applicant")
        self.applications = {row.pk: row for row in rows.order_by("pk")}
        self.rankings = {row.mentor_id: list(row.ranked) for row in MentorRanking.objects.filter(cohort=cohort)}
        taken = Placement.objects.filter(application__cohort=cohort, confirmed_at__isnull=False)
        gone = list(taken.values_list("offer", flat=True))
        self.places = {pk: max(0, offer.places - gone.count(pk)) for pk, offer in self.offers.items()}

    @cached_property
    def orders(self) -> dict[int, list[int]]:
        """For each offer the applications its mentor ranked."""
        return {
            pk: [number for number in self.rankings.get(offer.mentor_id, []) if number in self.applications]
            for pk, offer in self.offers.items()
        }

    @cached_property
    def wishes(self) -> dict[int, list[int]]:
        """For each application the offers of the projects it names."""
        return {pk: self._offers_in_order(row) for pk, row in self.applications.items()}

    def _offers_in_order(self, application: Application) -> list[int]:
        def liked(offer_id: int) -> tuple[bool, int, int]:
            order = self.orders[offer_id]
            is_ranked = application.pk in order
            return (not is_ranked, order.index(application.pk) if is_ranked else 0, offer_id)

        wished = []
        for slug in application.ranking:
            wished += sorted((pk for pk, o in self.offers.items() if o.project.slug == slug), key=liked)
        return wished

    def proposal(self) -> dict[int, int]:
        """The stable outcome: application to offer."""
        return matching.propose(self.wishes, self.orders, self.places)

    def blocking(self, outcome: dict[int, int]) -> list[tuple[int, int]]:
        """The pairs that would both rather have each other than what ``outcome`` gives them."""
        return matching.blocking_pairs(outcome, self.wishes, self.orders, self.places)

    def why(self, application: Application, *, offer: Offer | None, blocking: list[tuple[int, int]]) -> str:
        """Why this applicant comes to this offer, or to none, in sentences they may read."""
        slug = offer.project.slug if offer else None
        before = application.ranking
        if slug in application.ranking:
            before = application.ranking[: application.ranking.index(slug)]
        passed = [self._why_not(application, slug=better, blocking=blocking) for better in before]
        if offer is None:
            first = "" if application.ranking else "You named no project you would take. "
            return first + " ".join([*passed, "You keep your place in the cohort; an admin looks for a project."])
        choice = choice_in_words(application, offer.project.slug)
        words = "An admin chose it for you." if choice == "not named" else f"It is your {choice}."
        return " ".join([words, *passed])

    def _why_not(self, application: Application, *, slug: str, blocking: list[tuple[int, int]]) -> str:
        offers = [offer for offer in self.offers.values() if offer.project.slug == slug]
        if not offers:
            return f"{slug} is offered no more."
        if any((application.pk, offer.pk) in blocking for offer in offers):
            return f"An admin divided the places of {offers[0].project} otherwise."
        if not any(application.pk in self.orders[offer.pk] for offer in offers):
            return f"The mentor of {offers[0].project} chose others."
        return f"All places of {offers[0].project} went to applicants its mentor ranked higher."


@dataclass
class Proposal:
    """What is proposed in a cohort, and what is wrong with it. ``seen`` names this state of it."""

    market: Market
    placements: list[Placement]
    seen: str

    @cached_property
    def blocking(self) -> list[tuple[int, int]]:
        """Application and offer that would both rather have each other."""
        outcome = {row.application_id: row.offer_id for row in self.placements if row.offer_id is not None}
        return self.market.blocking(outcome)

    def why(self, row: Placement) -> str:
        """Why this applicant comes there, or nowhere, in sentences they may read."""
        return self.market.why(row.application, offer=row.offer, blocking=self.blocking)

    @cached_property
    def conflicts(self) -> list[str]:
        """What an admin has to know, in sentences."""
        return _conflicts(self)

    @property
    def is_confirmable(self) -> bool:
        """Somebody is placed, and no offer holds more than its places."""
        return any(row.offer_id for row in self.placements) and not self.overfull

    @property
    def overfull(self) -> list[Offer]:
        """Offers with more placed on them than they have places left."""
        chosen = [row.offer_id for row in self.placements]
        return [offer for pk, offer in self.market.offers.items() if chosen.count(pk) > self.market.places[pk]]


def placements_of(cohort: Cohort) -> QuerySet[Placement]:
    """The placements that are not confirmed, of applicants who still have a place, by name."""
    rows = Placement.objects.filter(
        application__cohort=cohort, application__state=ApplicationState.OFFERED, confirmed_at__isnull=True
    )
    return rows.select_related("application__applicant", "offer__project", "offer__mentor", "proposed__project")


def confirmed_placements_of(cohort: Cohort) -> QuerySet[Placement]:
    """The placements that were confirmed, by name."""
    rows = Placement.objects.filter(application__cohort=cohort, confirmed_at__isnull=False)
    return rows.select_related("application__applicant", "offer__project", "offer__mentor")


def placement_of(cohort: Cohort, *, placement_id: int) -> Placement:
    """One placement that is not confirmed yet, for admins.

    Raises:
        NotFound: there is none.
    """
    placement = placements_of(cohort).filter(pk=placement_id).first()
    if placement is None:
        raise NotFound
    return placement


def proposal_of(cohort: Cohort) -> Proposal:
    """The proposal as it stands now."""
    market, placements = Market(cohort), list(placements_of(cohort))
    said = ",".join(f"{row.pk}:{row.offer_id}" for row in sorted(placements, key=lambda row: row.pk))
    return Proposal(market, placements, seen=digest_bytes(said.encode())[:16])


def _conflicts(proposal: Proposal) -> list[str]:
    market, placements = proposal.market, proposal.placements
    said = [f"{a.applicant} named no project." for a in market.applications.values() if not a.ranking]
    silent = {o.mentor for o in market.offers.values() if not market.orders[o.pk]}
    said += [f"{mentor} has ranked nobody." for mentor in sorted(silent, key=lambda mentor: mentor.name)]
    for pk, offer in market.offers.items():
        count = sum(row.offer_id == pk for row in placements)
        if count > market.places[pk]:
            said.append(f"{offer} has room for {market.places[pk]}, and {count} are placed on it.")
    if not placements:
        return said
    said += [f"{row.application.applicant} has no project." for row in placements if row.offer_id is None]
    for application_id, offer_id in proposal.blocking:
        applicant, offer = market.applications[application_id].applicant, market.offers[offer_id]
        said.append(f"{applicant} and {offer} would both rather have each other.")
    return said
