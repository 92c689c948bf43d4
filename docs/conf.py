"""How Sphinx builds this site: ``make docs`` writes it to build/docs."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for docs._ext

from ravl import __version__  # noqa: E402

project = "ravl"
author = "the ravl authors"
release = version = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docs._ext.generated",
    "docs._ext.api",
]
exclude_patterns = ["_ext", "_build", "**/_*.md"]
nitpicky = True
smartquotes = False  # two hyphens are two hyphens

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = "$ "

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_type_aliases: dict[str, str] = {}
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# Types of other libraries, and helpers inside ravl, have no page here.
nitpick_ignore_regex = [("py:.*", r".*")]

html_theme = "furo"
html_title = "ravl"
html_static_path = ["_static"]
html_css_files = ["ravl.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6e5f",
        "color-brand-content": "#0b6e5f",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5ccfb8",
        "color-brand-content": "#5ccfb8",
    },
}
