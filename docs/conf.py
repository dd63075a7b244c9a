"""Sphinx configuration: ``sphinx-build -W -b html docs docs/_build/html``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from calacs import __version__

project = "calacs"
author = "the calacs developers"
release = version = __version__
extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser", "tables"]
default_role = "py:obj"
exclude_patterns = ["_build"]
nitpick_ignore_regex = [("py:.*", ".*")]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

html_theme = "alabaster"
html_title = f"calacs {__version__}"
html_theme_options = {
    "description": "Calibration of Hubble ACS exposures",
    "page_width": "1100px",
    "fixed_sidebar": True,
}
html_copy_source = False
html_static_path: list[str] = []
