"""The small project of `invalidation`, and the edits of it. Scripts read each other's files and two modules."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

HEAD = """\
import json
from pathlib import Path
"""
TAIL = """
with open("ran.txt", "a") as file:
    file.write("{stage}\\n")
"""
FILES = {
    "data.csv": "x,y\n" + "".join(f"{x},{3 * x + 1}\n" for x in range(1, 9)) + "-1,0\n",
    "params.json": '{\n  "degree": 1,\n  "scale": 0.5,\n  "digits": 3,\n  "unused": 7\n}\n',
    "README.md": "A project.\n",
    "lib/__init__.py": "",
    "lib/numbers.py": """\
from lib.rounding import to_digits


def mean(values):
    total = sum(values)
    return to_digits(total / len(values), 6)
""",
    "lib/rounding.py": """\
def to_digits(value, digits):
    return round(value, digits)
""",
    "lib/other.py": "UNUSED = 1\n",
    "clean.py": HEAD
    + """
rows = [line.split(",") for line in Path("data.csv").read_text().split("\\n")[1:] if line.strip()]
kept = [row for row in rows if float(row[0]) > 0]
Path("clean.csv").write_text("".join(f"{x},{y}\\n" for x, y in kept))
"""
    + TAIL.format(stage="clean"),
    "fit.py": HEAD
    + """
from lib.numbers import mean

params = json.loads(Path("params.json").read_text())
points = [tuple(map(float, line.split(","))) for line in Path("clean.csv").read_text().split()]
slope = mean([params["scale"] * y / x ** params["degree"] for x, y in points])
Path("model.json").write_text(json.dumps({"slope": slope}))
"""
    + TAIL.format(stage="fit"),
    "score.py": HEAD
    + """
params = json.loads(Path("params.json").read_text())
slope = json.loads(Path("model.json").read_text())["slope"]
points = [tuple(map(float, line.split(","))) for line in Path("clean.csv").read_text().split()]
error = max(abs(y - slope * x) for x, y in points)
Path("score.json").write_text(json.dumps({"error": round(error, params["digits"])}))
"""
    + TAIL.format(stage="score"),
}
Edit = tuple[str, Callable[[Path], None]]


def replace(file: str, old: str, new: str, place: Path) -> None:
    """Replace a text that stands in a file once."""
    text = (place / file).read_text()
    if text.count(old) != 1:
        raise ValueError(f"{file} has {old!r} {text.count(old)} times")
    (place / file).write_text(text.replace(old, new))


def append(file: str, text: str, place: Path) -> None:
    """Add a text to the end of a file, which need not be there yet."""
    with (place / file).open("a") as content:
        content.write(text)


def touch(file: str, place: Path) -> None:
    """Give a file a new time."""
    status = (place / file).stat()
    os.utime(place / file, (status.st_atime, status.st_mtime + 100))


def delete(file: str, place: Path) -> None:
    """Remove a file."""
    (place / file).unlink()


def rewrite(file: str, place: Path) -> None:
    """Write a file anew with the same content."""
    text = (place / file).read_text()
    (place / file).unlink()
    (place / file).write_text(text)


def edits(label: str, change: Callable[..., None], *files: str, extra: tuple[str, ...] = ()) -> list[Edit]:
    """Return the same edit of several files."""
    return [(f"{label} {file}", partial(change, file, *extra)) for file in files]


SCRIPTS = ("clean.py", "fit.py", "score.py")
MODULES = ("lib/numbers.py", "lib/rounding.py")
OUTPUTS = ("clean.csv", "model.json", "score.json")
EDITS: list[Edit] = [
    *edits("comment in", append, *SCRIPTS, *MODULES, extra=("# A comment.\n",)),
    *edits("function that nobody calls in", append, *SCRIPTS, *MODULES, extra=("\n\ndef f():\n    return 1\n",)),
    ("code that does the same in lib/numbers.py", partial(replace, "lib/numbers.py", "(total /", "(1 * total /")),
    ("other result from clean.py", partial(replace, "clean.py", "> 0]", "> 1]")),
    ("other result from fit.py", partial(replace, "fit.py", '["scale"] * y', '["scale"] * 2 * y')),
    ("other result from score.py", partial(replace, "score.py", "max(abs(", "min(abs(")),
    ("other result from lib/numbers.py", partial(replace, "lib/numbers.py", "sum(values)", "sum(values) + 1")),
    ("other result from lib/rounding.py", partial(replace, "lib/rounding.py", "digits)\n", "1)\n")),
    ("parameter of fit", partial(replace, "params.json", '"degree": 1', '"degree": 2')),
    ("other parameter of fit", partial(replace, "params.json", '"scale": 0.5', '"scale": 0.25')),
    ("parameter of score", partial(replace, "params.json", '"digits": 3', '"digits": 2')),
    ("parameter that nobody reads", partial(replace, "params.json", '"unused": 7', '"unused": 8')),
    ("parameter written otherwise", partial(replace, "params.json", '"scale": 0.5', '"scale": 5e-1')),
    ("new parameter", partial(replace, "params.json", '"unused": 7', '"unused": 7,\n  "more": 1')),
    ("a value in data.csv", partial(replace, "data.csv", "5,16", "5,17")),
    ("a row that clean.py drops", partial(replace, "data.csv", "-1,0", "-2,0")),
    ("an empty line in data.csv", partial(append, "data.csv", "\n")),
    ("a new row in data.csv", partial(append, "data.csv", "9,28\n")),
    *edits("new time of", touch, "data.csv", "fit.py", "lib/rounding.py", "clean.csv", "params.json"),
    *edits("same content again in", rewrite, "data.csv"),
    *edits("lost", delete, *OUTPUTS),
    *edits("overwritten", append, *OUTPUTS, extra=(" ",)),
    ("README.md", partial(append, "README.md", "More.\n")),
    ("module that nobody imports", partial(append, "lib/other.py", "MORE = 2\n")),
]  # fmt: skip
