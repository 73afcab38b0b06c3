"""Build the book's pages in both languages, with the libraries, pictures and data that they show."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from notes.files import UserError, write_bytes
from notes.script import run_script
from provenn.record import track

# The folder of the pages: the language as gettext names it, and the book's title.
LANGUAGES = {"en": ("en", "Neural networks, measured"), "zh": ("zh_CN", "实测神经网络")}
PAGE_LIBRARIES = ("katex", "onnxruntime-web")
SITE = Path("site")
# The first page sends a reader on by the browser's language, or lets the reader choose.
START = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Neural networks, measured</title>
<script>location.replace((navigator.language.startsWith("zh") ? "zh" : "en") + "/index.html")</script>
<p><a href="en/index.html">English</a> · <a href="zh/index.html" lang="zh">中文</a></p></html>
"""


def main() -> None:
    """Build site/en and site/zh; a warning of Sphinx is an error: no page has a dead reference."""
    with track():
        for folder, (language, title) in LANGUAGES.items():
            build(SITE / folder, language, title)
            static = SITE / folder / "_static"
            for name in PAGE_LIBRARIES:
                shutil.copytree(Path("libraries") / name, static / "libraries" / name)
            shutil.copytree("widget-data", static / "widget-data")
            print(f"{SITE / folder}: built", flush=True)
        write_bytes(SITE / "index.html", START.encode())


def build(target: Path, language: str, title: str) -> None:
    """Let Sphinx write the pages in one language; raise UserError with what it says when it can not."""
    scratch = target / ".doctrees"
    command = [sys.executable, "-m", "sphinx", "--builder=html", "--conf-dir=.", f"--doctree-dir={scratch}"]
    command += ["--fail-on-warning", "--fresh-env", "--quiet", "--no-color", f"--define=language={language}"]
    command.append(f"--define=html_title={title}")
    # A file, not a pipe: a helper of Sphinx that outlives it would hold a pipe open for good.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        built = subprocess.run([*command, "pages", str(target)], stdout=subprocess.DEVNULL, stderr=said)
        if built.returncode:
            said.seek(0)
            raise UserError(f"the book could not be built: {said.read().strip()}")
    shutil.rmtree(scratch)
    # What Sphinx remembers of a build; it holds no page.
    for name in (".buildinfo", "objects.inv"):
        (target / name).unlink(missing_ok=True)


if __name__ == "__main__":
    run_script(main)
