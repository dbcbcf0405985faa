"""Every page a person can reach, and what axe-core finds on it against WCAG 2.2 AA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve
from playwright.sync_api import Page

AXE = (Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = (1440, 375)
SCHEMES = ("light", "dark")
FIRST = (WIDTHS[0], SCHEMES[0])
# What a width or a colour scheme can change; the others are the same in each.
SEEN = [
    "color-contrast",
    "link-in-text-block",
    "target-size",
    "scrollable-region-focusable",
    "label-content-name-mismatch",
]
RUN = """only => axe.run(document, {runOnly: only, resultTypes: ['violations'], iframes: false}).then(
    found => found.violations.flatMap(one => one.nodes.map(node => `${one.id}: ${node.target.join(' ')}`)))"""
LINKS = "() => [...document.querySelectorAll('a[href]')].filter(a => !a.hasAttribute('download')).map(a => a.href)"
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Crawl:
    """Follows the links of a site, one address for each view, and keeps which views were seen."""

    site: str
    seen: set[str] = field(default_factory=set)

    def pages(self, page: Page, *, begin: str = "/") -> Iterator[str]:
        """Opens each page of a view not seen before, and yields its view."""
        waiting, asked = [begin], {begin}
        while waiting:
            path = waiting.pop(0)
            view = view_of(path)
            if view is None or view in self.seen:
                continue
            answer = page.request.get(self.site + path, max_redirects=0)
            if answer.status != 200 or not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            self.seen.add(view)
            if "sandbox" in answer.headers.get(
                "content-security-policy", ""
            ):  # where no script runs axe-core does not either
                page.goto("about:blank")
                page.set_content(answer.text())
                yield view
                continue
            page.goto(self.site + path)
            for link in page.evaluate(LINKS):
                parts = urlsplit(link)
                if link.startswith(self.site) and parts.path not in asked:
                    asked.add(parts.path)
                    waiting.append(parts.path)
            yield view


def view_of(path: str) -> str | None:
    """The name of the view an address leads to."""
    try:
        return resolve(path).view_name
    except Resolver404:
        return None


def faults_of(page: Page) -> list[str]:
    """What is wrong with the page that is open, at both widths, light and dark; a page wider than its window too."""
    faults: list[str] = []
    page.evaluate(f"() => {{ {AXE} }}")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            only = {"type": "rule", "values": SEEN} if (width, scheme) != FIRST else {"type": "tag", "values": TAGS}
            faults += [f"{width} {scheme} {fault}" for fault in page.evaluate(RUN, only)]
        if page.evaluate(WIDER) > 0:
            faults.append(f"{width} the page is wider than its window")
    return faults
