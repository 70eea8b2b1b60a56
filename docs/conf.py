"""The documentation site: `python -m sphinx -W -n docs OUT`. Nothing is loaded from a network, when
it is built or when it is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import conceptbind

sys.path.insert(0, str(Path(__file__).parent))

project = html_title = "conceptbind"
version = release = conceptbind.__version__
author = "The conceptbind contributors"
project_copyright = "2026, the conceptbind contributors"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "accessible",
    "docstrings",
    "options",
]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!conceptbind\.).*")]  # other libraries' names
nitpick_ignore = [
    ("py:class", "conceptbind.commands.command.R"),  # what a command returns
    ("py:class", "conceptbind.commands.command.R_co"),
    ("py:class", "conceptbind.repairs.labclip.estimator.F"),  # a fit, of whichever repair
    ("py:class", "conceptbind.repairs.labclip.cost.Point"),  # charts have one of this name too
    ("py:class", "conceptbind.core.ownership.FolderLock"),  # of the folder of a run, not public
]
default_role = "code"  # single backticks, as everywhere in the project
smartquotes = False  # `--out` stays as it is typed

nb_execution_mode = "off"  # notebooks show what docs/notebooks.py kept, and a test runs them
myst_heading_anchors = 4  # those that GitHub makes too
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Returns"]  # as text, not as a type
napoleon_use_ivar = True  # attributes of an instance stand in a list, once

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["scroll.js"]
html_copy_source = html_show_sourcelink = False
