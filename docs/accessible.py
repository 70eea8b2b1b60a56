"""What the pages of the site need beside Sphinx and the theme: parameters that stand below each
other are no list of definitions (WCAG A and AA; `_static/scroll.js` does the rest), and no line
ends between a number and its unit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARAMETERS = re.compile(r'<dl>(?=\s*<dd><em class="sig-param">)')
"""A signature of several lines, which Sphinx writes as definitions (`<dd>`) without terms."""


def lay_out(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Say that such a list is there for its looks only."""
    context["body"] = PARAMETERS.sub('<dl role="presentation">', context.get("body", ""))


UNIT = re.compile(r"(?<=\d) (?=(?:%|points|s|ms|min|x|MB|MiB|GiB)(?![\w.]))")


def join(app: Sphinx, page: nodes.document) -> None:
    """Put a space that does not break between numbers and units, except in code."""
    for text in list(page.findall(nodes.Text)):
        if not isinstance(text.parent, nodes.literal | nodes.FixedTextElement):
            text.parent.replace(text, nodes.Text(UNIT.sub("\u00a0", text.astext())))


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page when it was read, and before it is written."""
    app.connect("doctree-read", join)
    app.connect("html-page-context", lay_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
