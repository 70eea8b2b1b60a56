"""What the pages of the site need beside Sphinx and the theme to meet WCAG A and AA: parameters
that stand below each other are no list of definitions. `_static/scroll.js` does the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARAMETERS = re.compile(r'<dl>(?=\s*<dd><em class="sig-param">)')
"""A signature of several lines, which Sphinx writes as definitions (`<dd>`) without terms."""


def lay_out(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Say that such a list is there for its looks only."""
    context["body"] = PARAMETERS.sub('<dl role="presentation">', context.get("body", ""))


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page before it is written."""
    app.connect("html-page-context", lay_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
