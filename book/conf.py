"""How Sphinx builds the book. `stages/build_book.py` calls it once a language."""

import sys
from pathlib import Path

from sphinxcontrib import katex

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "Neural networks, measured"
author = "The Provenn authors"
copyright = author
extensions = ["extension", "myst_parser", "sphinxcontrib.katex"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["dollarmath", "colon_fence"]
highlight_language = "python"

# Formulas are written into the pages while they are built: no page fetches anything from elsewhere.
katex_prerender = True
katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 120.0  # seconds; its own 5 are too few on a machine with other work
# Its server by a port: by a file, it is called between that file's creation and its listening, on such a machine.
katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket
katex_css_path = "libraries/katex/katex.min.css"

locale_dirs = [str(HERE / "locales")]
gettext_compact = "book"
gettext_uuid = False
gettext_location = False

html_theme = "furo"
html_static_path = [str(HERE / "static")]
html_favicon = str(HERE / "static/icon.svg")
html_css_files = ["book.css"]
html_js_files = ["widgets/start.js"]
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_show_copyright = False
templates_path = [str(HERE / "templates")]
html_sidebars = {
    "**": [
        "sidebar/scroll-start.html",
        "sidebar/brand.html",
        "sidebar/languages.html",
        "sidebar/search.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0067a0"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#7cc4ee"},
}
