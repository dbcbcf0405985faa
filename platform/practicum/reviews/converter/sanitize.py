"""The HTML we let through, from whatever an intern's notebook or report holds.

Nothing that runs, frames, posts, or loads from elsewhere: no script, style element, form, frame, object or id; images
only as ``data:``; a handful of style properties that cannot hold an address. Classes only those our own highlighting
writes. The content security policy of the page says the same again.
"""

from __future__ import annotations

import re

import nh3

NAMES = """
a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr
i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var
"""
TAGS = frozenset(NAMES.split())
ATTRIBUTES = {
    "*": {"class", "style", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "col": {"span"},
    "details": {"open"},
}
STYLES = {"color", "background-color", "font-weight", "font-style", "text-align", "text-decoration", "white-space"}
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*\Z")
OUR_CLASS = re.compile(r"highlight|dataframe|[a-z]{1,2}[0-9]?|ansi-[a-z-]+\Z")
LENGTH = re.compile(r"[0-9]{1,4}\Z")
LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
BARE_LINK = re.compile(r'<a href="([^"]*)"[^>]*>\1</a>')


def clean(html: str) -> str:
    """``html`` with only what is allowed left. A link whose text is its own address becomes plain text."""
    cleaned: str = nh3.clean(
        html,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=_checked,
        url_schemes={"http", "https", "mailto", "data"},
        filter_style_properties=STYLES,
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return BARE_LINK.sub(r'<span class="url">\1</span>', cleaned)


def _checked(_tag: str, attribute: str, value: str) -> str | None:
    """The value to keep, or None to drop the attribute."""
    if attribute == "src":
        return value if PICTURE.match(value) else None
    if attribute == "href":
        return value if LINK.match(value) else None
    if attribute == "class":
        return " ".join(name for name in value.split() if OUR_CLASS.fullmatch(name)) or None
    if attribute in {"width", "height", "colspan", "rowspan", "span", "start"}:
        return value if LENGTH.match(value) else None
    return value
