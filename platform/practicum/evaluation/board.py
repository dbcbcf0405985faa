"""The leaderboard: the best score of each intern of one cohort on one version of a project, the baseline in its place.

Interns see their own cohort's board; mentors the boards of the cohorts they mentor on this project; admins every board.

The *shown* rank is by the best score each intern was told (the Ladder rule), the earlier submission first where two are
the same. The *final* rank is by the score on the whole hidden part of the one submission that counts. Interns see final
scores only once they are released; until then nothing on their board depends on one, the order of rows included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.catalog.models import Project, ProjectVersion
from practicum.catalog.selectors import latest_version
from practicum.errors import NotFound
from practicum.evaluation.closing import Terms, neutral_names, terms_on
from practicum.evaluation.minutes import minutes_of
from practicum.evaluation.progress import progress_chart
from practicum.evaluation.standings import Point, Standing, baselines_of, final_baselines_of, is_better, standings_of
from practicum.internships.models import GOING_ON, Cohort, Internship
from practicum.internships.selectors import internships_visible_to
from practicum.submissions.models import Submission


@dataclass(frozen=True)
class Row:
    """A line of the board. The baseline has no rank; ``url`` is empty where the viewer may not open the submission.

    ``value`` and ``rank`` are of the shown scores. ``final``, ``final_rank`` and ``final_number`` (which submission
    counts) are None where the viewer may not know them. ``shown_as`` is the name that interns see. ``minutes`` are the
    GPU-minutes of the evaluation behind the score. ``is_under_extension``: it was received after the board's close, by an
    intern who had more time.
    """

    rank: int | None
    name: str
    value: float
    at: datetime | None
    submissions: int
    url: str
    is_own: bool = False
    is_baseline: bool = False
    difference: float | None = None
    is_better: bool | None = None
    minutes: float = 0.0
    final: float | None = None
    final_rank: int | None = None
    final_number: int | None = None
    shown_as: str = ""
    is_under_extension: bool = False


@dataclass(frozen=True)
class Board:
    """One board. ``waiting``: interns without a score in time. ``chart`` is for components/chart.html.

    ``has_final``: the rows have final scores. ``is_by_final``: they are in the order of the final ranks. ``extensions``:
    whose internship goes on with a later close than the board's, and when, by that time; to an intern their own alone.
    """

    cohort: Cohort | None
    version: ProjectVersion
    rows: list[Row]
    waiting: int
    chart: dict[str, Any] | None
    terms: Terms | None = None
    has_final: bool = False
    is_by_final: bool = False
    extensions: list[tuple[str, datetime]] = field(default_factory=list)


@dataclass(frozen=True)
class _Field:
    """What a board is made of: its interns, how they stand, under which names the viewer sees them."""

    version: ProjectVersion
    viewer: User
    peers: list[Internship]
    standings: dict[int, Standing]
    names: dict[int, str]
    aliases: dict[int, str] = field(default_factory=dict)
    own_id: int | None = None

    @property
    def sign(self) -> int:
        """So that less comes first."""
        return -1 if self.version.higher_is_better else 1


def cohorts_with_board(user: User, *, slug: str) -> list[Cohort]:
    """The cohorts with interns on the project whose board ``user`` may see, the newest first."""
    mine = internships_visible_to(user).filter(version__project__slug=slug)
    return list(Cohort.objects.filter(pk__in=mine.values("cohort")).order_by("-starts_on", "name"))


def board_run_by(user: User, *, slug: str, cohort_slug: str) -> tuple[Cohort, Project]:
    """The cohort and project of a board that ``user``, a mentor or an admin, may set things on.

    Raises:
        NotFound: no such board, or not theirs.
    """
    cohort = next((cohort for cohort in cohorts_with_board(user, slug=slug) if cohort.slug == cohort_slug), None)
    if cohort is None or user.is_intern:
        raise NotFound
    return cohort, Project.objects.get(slug=slug)


def board_for(
    user: User, *, slug: str, now: datetime, cohort_slug: str = "", number: str = ""
) -> tuple[Board, list[Cohort]]:
    """The board asked for (by default of the newest cohort and version) and the cohorts to choose from.

    Raises:
        NotFound: no such project or cohort, or not theirs to see.
    """
    cohorts = cohorts_with_board(user, slug=slug)
    chosen = next((cohort for cohort in cohorts if cohort_slug in ("", cohort.slug)), None)
    if chosen is None:
        if cohort_slug or not user.is_admin:
            raise NotFound
        return board_of(None, version=latest_version(slug), viewer=user, now=now), cohorts
    versions = versions_with_board(user, slug=slug, cohort=chosen)
    version = next((version for version in versions if number in ("", str(version.number))), None)
    if version is None:
        raise NotFound
    return board_of(chosen, version=version, viewer=user, now=now), cohorts


def versions_with_board(user: User, *, slug: str, cohort: Cohort) -> list[ProjectVersion]:
    """The versions that the cohort works on as far as ``user`` may see, the newest first; an intern's own one alone."""
    mine = internships_visible_to(user).filter(cohort=cohort, version__project__slug=slug)
    rows = ProjectVersion.objects.filter(pk__in=mine.values("version")).select_related("project")
    return list(rows.order_by("-number"))


def board_of(
    cohort: Cohort | None,
    *,
    version: ProjectVersion,
    viewer: User,
    now: datetime,
    about: Internship | None = None,
    is_short: bool = False,
) -> Board:
    """The board of a cohort on a version: a fixed number of queries, however many interns.

    ``about`` is the internship that counts as one's own; without it, the viewer's. ``is_short``: places and scores alone,
    without the chart, and no minutes.
    """
    if cohort is None:
        rows = _with_baseline([], version=version, has_final=False)
        return Board(cohort=None, version=version, rows=rows, waiting=0, chart=None)
    terms = terms_on(cohort, project=version.project)
    board = _field_of(cohort, version=version, viewer=viewer, terms=terms, about=about)
    has_final = terms.is_released or not viewer.is_intern
    is_by_final = terms.is_released or (has_final and terms.is_closed(now=now))
    ranked = _ranked(board, has_final=has_final, has_minutes=not is_short)
    if is_by_final:
        ranked.sort(key=lambda row: row.final_rank or 0)
    return Board(
        cohort=cohort,
        version=version,
        rows=_with_baseline(
            ranked, version=version, has_final=has_final, is_by_final=is_by_final, has_minutes=not is_short
        ),
        waiting=len(board.peers) - len(ranked),
        chart=None if is_short else _chart(board, cohort=cohort),
        terms=terms,
        has_final=has_final,
        is_by_final=is_by_final,
        extensions=_extensions(board),
    )


def _extensions(board: _Field) -> list[tuple[str, datetime]]:
    going_on = [peer for peer in board.peers if peer.state in GOING_ON]
    told = [peer for peer in going_on if not board.viewer.is_intern or peer.intern_id == board.viewer.pk]
    terms = {peer.pk: board.standings[peer.pk].terms for peer in told}
    found = [(board.names[peer.pk], terms[peer.pk].closes_at) for peer in told if terms[peer.pk].is_extended]
    return sorted(found, key=lambda one: one[1])


def _field_of(
    cohort: Cohort, *, version: ProjectVersion, viewer: User, terms: Terms, about: Internship | None
) -> _Field:
    peers = list(Internship.objects.filter(cohort=cohort, version=version).select_related("intern").order_by("pk"))
    for peer in peers:
        peer.version, peer.cohort = version, cohort
    aliases = _aliases(cohort, terms=terms, version=version)
    own = next((peer.pk for peer in peers if peer.intern_id == viewer.pk), None)
    names = {
        peer.pk: peer.intern.name if peer.pk == own or not viewer.is_intern else aliases.get(peer.pk, peer.intern.name)
        for peer in peers
    }
    return _Field(
        version=version,
        viewer=viewer,
        peers=peers,
        # Final scores are needed to rank by; only _ranked looks at them, and only where the viewer may know them.
        standings=standings_of(peers, exact=True),
        names=names,
        aliases=aliases,
        own_id=about.pk if about is not None else own,
    )


def _aliases(cohort: Cohort, *, terms: Terms, version: ProjectVersion) -> dict[int, str]:
    """The neutral name of each internship of the cohort on the project; none while names are shown."""
    if terms.hidden_through is None:
        return {}
    everyone = Internship.objects.filter(cohort=cohort, version__project=version.project_id)
    return neutral_names(everyone.values_list("pk", flat=True), hidden_through=terms.hidden_through)


def _ranked(board: _Field, *, has_final: bool, has_minutes: bool) -> list[Row]:
    """The interns with a score in time, in the order of the shown ranks."""
    scored = [(peer, best) for peer in board.peers if (best := board.standings[peer.pk].told_best) is not None]
    scored.sort(key=lambda pair: (board.sign * pair[1].told, pair[1].at, pair[1].submission_id))
    behind = [_behind(board, peer=peer, best=best, has_final=has_final).submission_id for peer, best in scored]
    minutes = _gpu_minutes(behind if has_minutes else [])
    rows = [
        _row(board, peer=peer, best=best, rank=rank, minutes=minutes)
        for rank, (peer, best) in enumerate(scored, start=1)
    ]
    return _with_finals(board, rows=rows, peers=[peer for peer, _ in scored], minutes=minutes) if has_final else rows


def _gpu_minutes(submissions: Iterable[int]) -> dict[int, float]:
    return {pk: minutes.gpu for pk, minutes in minutes_of(submissions).items()} if submissions else {}


def _behind(board: _Field, *, peer: Internship, best: Point, has_final: bool) -> Point:
    """The submission a row is about: the one that counts where that may be known, else the one of the shown best."""
    return (board.standings[peer.pk].counted or best) if has_final else best


def _row(board: _Field, *, peer: Internship, best: Point, rank: int, minutes: dict[int, float]) -> Row:
    standing = board.standings[peer.pk]
    difference = None if standing.baseline is None else best.told - standing.baseline
    return Row(
        rank=rank,
        name=board.names[peer.pk],
        value=best.told,
        at=best.at,
        submissions=len(standing.points),
        url=_url(board, peer=peer, point=best),
        is_own=peer.pk == board.own_id,
        difference=difference,
        is_better=is_better(difference, version=board.version),
        minutes=minutes.get(best.submission_id, 0.0),
        shown_as=board.aliases.get(peer.pk, ""),
        is_under_extension=standing.terms.is_under_extension(best.at),
    )


def _with_finals(board: _Field, *, rows: list[Row], peers: list[Internship], minutes: dict[int, float]) -> list[Row]:
    """The rows, each with the final score and rank of the submission that counts."""
    digits = int(board.version.metric["digits"])
    counted: dict[int, Point] = {}
    for place, peer in enumerate(peers):
        point = board.standings[peer.pk].counted
        assert point is not None  # told_best, which made the row, counts where nothing was chosen
        counted[place] = point

    def key(place: int) -> tuple[float, datetime, int]:
        point = counted[place]
        return board.sign * round(point.final or 0.0, digits), point.at, point.submission_id

    ranks = {place: rank for rank, place in enumerate(sorted(counted, key=key), start=1)}
    return [
        replace(
            row,
            at=counted[place].at,
            url=_url(board, peer=peers[place], point=counted[place]),
            minutes=minutes.get(counted[place].submission_id, 0.0),
            final=round(counted[place].final or 0.0, digits),
            final_rank=ranks[place],
            final_number=counted[place].number,
            is_under_extension=board.standings[peers[place].pk].terms.is_under_extension(counted[place].at),
        )
        for place, row in enumerate(rows)
    ]


def _url(board: _Field, *, peer: Internship, point: Point) -> str:
    viewer = board.viewer
    may_open = viewer.is_admin or viewer.pk in (peer.intern_id, peer.mentor_id)
    return reverse("portal:submission", args=[point.submission_id]) if may_open else ""


def _with_baseline(
    rows: list[Row], *, version: ProjectVersion, has_final: bool, is_by_final: bool = False, has_minutes: bool = True
) -> list[Row]:
    shown = baselines_of([version])[version.pk]
    if shown is None:
        return rows
    final = final_baselines_of([version])[version.pk] if has_final else None
    pinned = Row(
        rank=None, name="Baseline", value=shown, at=None, submissions=1, url="", is_baseline=True, final=final,
        minutes=sum(_gpu_minutes(_baseline_submissions(version) if has_minutes else []).values()),
    )  # fmt: skip
    sign = -1 if version.higher_is_better else 1

    def key(row: Row) -> tuple[float, bool, int]:
        value, rank = (row.final, row.final_rank) if is_by_final else (row.value, row.rank)
        return sign * (row.value if value is None else value), row.is_baseline, rank or 0

    return sorted([*rows, pinned], key=key)


def _baseline_submissions(version: ProjectVersion) -> Iterable[int]:
    return Submission.objects.filter(version=version, internship__isnull=True).values_list("pk", flat=True)


def _chart(board: _Field, *, cohort: Cohort) -> dict[str, Any] | None:
    """Every new best of everybody over the cohort's weeks, as it was told; None before there is one."""
    places = {peer.pk: place for place, peer in enumerate(board.peers)}
    points = [
        (peer, point)
        for peer in board.peers
        for point in board.standings[peer.pk].points
        if point.is_new and not point.is_late
    ]
    if not points:
        return None
    version = board.version
    baseline = baselines_of([version])[version.pk]
    shown = [
        {
            "number": f"{point.number} of {board.names[peer.pk]}",
            "line": places[peer.pk],
            "name": board.names[peer.pk],
            "is_own": peer.pk == board.own_id,
            "at": point.at.isoformat(),
            "label": localtime(point.at).strftime("%-d %b, %H:%M"),
            "value": point.told,
            "url": _url(board, peer=peer, point=point),
        }
        for peer, point in sorted(points, key=lambda pair: (pair[1].at, pair[1].submission_id))
    ]
    return progress_chart(version, baseline=baseline, cohort=cohort, points=shown)
