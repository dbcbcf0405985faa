"""The navigation of each role: which links there are, and which of them the page at hand belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from practicum.accounts.models import Role, User
from practicum.internships.selectors import current_project_of

Link = tuple[str, str, str]

# Pages with an address of their own, of one internship or one submission, belong to the list that leads to them.
OWNERS = {
    "/internships/": ("Interns", "People"),
    "/submissions/": ("Interns", "People"),
    "/attention/": ("Interns", "People"),
    "/cohorts/": ("Interns", "People"),
}


@dataclass(frozen=True)
class Entry:
    """One link of the navigation; ``icon`` is the name of a Bootstrap icon."""

    label: str
    icon: str
    url: str
    is_current: bool = False


def entries_for(user: User, *, path: str) -> list[Entry]:
    """The links of this person's role; the longest that ``path`` lies under is current."""
    links = _links(user)
    current = max(links, key=lambda link: _reach(link[2], path=path), default=None)
    if current is not None and not _reach(current[2], path=path):
        current = _owner_of(path, links=links)
    return [Entry(label=link[0], icon=link[1], url=link[2], is_current=link is current) for link in links]


def _reach(url: str, *, path: str) -> int:
    """How much of ``path`` the address covers, 0 for none; the start page covers only itself."""
    return len(url) if path == url or (url != "/" and path.startswith(url)) else 0


def _owner_of(path: str, *, links: list[Link]) -> Link | None:
    labels = next((labels for prefix, labels in OWNERS.items() if path.startswith(prefix)), ())
    return next((link for link in links if link[0] in labels), None)


def _links(user: User) -> list[Link]:
    if user.role == Role.ADMIN:
        return [
            ("Overview", "speedometer2", reverse("portal:home")),
            ("GPUs", "gpu-card", reverse("gpus:overview")),
            ("Reservations", "calendar-week", reverse("gpus:reservations")),
            ("People", "people", reverse("portal:people")),
            ("Projects", "journal-text", reverse("catalog:projects")),
        ]
    if user.role == Role.MENTOR:
        return [
            ("Inbox", "inbox", reverse("reviews:inbox")),
            ("Interns", "people", reverse("portal:home")),
            ("Reservations", "calendar-week", reverse("gpus:reservations")),
            ("Projects", "journal-text", reverse("catalog:projects")),
        ]
    return _links_of_intern(user)


def _links_of_intern(user: User) -> list[Link]:
    links = [
        ("Home", "house", reverse("portal:home")),
        ("Notebook", "terminal", reverse("workspaces:notebook")),
        ("Submissions", "send", reverse("portal:submissions")),
    ]
    slug = current_project_of(user)
    if slug is None:
        return [*links, ("Projects", "journal-text", reverse("catalog:projects"))]
    return [
        *links,
        ("Leaderboard", "bar-chart-steps", reverse("evaluation:leaderboard", args=[slug])),
        ("Project", "journal-text", reverse("catalog:project", args=[slug])),
    ]
