"""dvc_plots/index.html: DVC's page of plots, which carries its scripts with it and so needs no network to be read.

DVC's own page loads Vega from a CDN. Run it with `make plots`; the first time it needs npm. The template that it makes
serves `dvc plots diff --html-template .dvc/tmp/plots.html` too.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from notes.book.libraries import Library, fetch
from notes.files import UserError, write_bytes

TEMPLATE = Path(".dvc/tmp/plots.html")
# The majors that DVC's page asks for.
LIBRARIES = (
    Library(
        "vega",
        "5.33.0",
        "7b61f992d1a1e196e7f2eeb3d6176e5694949d0d4bbfea237a842d523dd6e1f3",
        ("package/build/vega.min.js",),
    ),
    Library(
        "vega-lite",
        "5.23.0",
        "e4cbfdd8f6f1abe381c59cd558fd6a559c12b1496bfdf2e0c3295263a40fe4da",
        ("package/build/vega-lite.min.js",),
    ),
    Library(
        "vega-embed",
        "6.29.0",
        "ecf1ee709c2bac9e0a4ead6908114b05b62c71493e10a8a4308109bb070f8eb1",
        ("package/build/vega-embed.min.js",),
    ),
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>Plots</title><link rel="icon" href="data:,">
{refresh_tag}
<style>body { font-family: sans-serif } table { border-spacing: 15px } img { max-width: 100% }</style>
{libraries}
</head>
<body>
{plot_divs}
</body>
</html>
"""


def make_template() -> bytes:
    """Return a template for DVC's page that has the scripts in it; raise UserError when npm cannot fetch them."""
    with tempfile.TemporaryDirectory() as scratch:
        for library in LIBRARIES:
            fetch(library, Path(scratch))
        files = [Path(scratch, "build", Path(library.files[0]).name) for library in LIBRARIES]
        # An end tag in a text of a script would end the script.
        scripts = [file.read_text(encoding="utf-8").replace("</script", r"<\/script") for file in files]
    return PAGE.replace("{libraries}", "\n".join(f"<script>{script}</script>" for script in scripts)).encode()


def main() -> None:
    """Write the page, after the template if that is not there yet."""
    try:
        if not TEMPLATE.is_file():
            write_bytes(TEMPLATE, make_template())
    except UserError as error:
        sys.exit(f"error: {error}")
    sys.exit(subprocess.run([sys.executable, "-m", "dvc", "plots", "show", "--html-template", TEMPLATE]).returncode)


if __name__ == "__main__":
    main()
