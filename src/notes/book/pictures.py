"""Still pictures as bytes, for the files that `compute` returns."""

import io

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from notes.figures.canvas import STYLE


def png(figure: Figure, colours: int = 64) -> bytes:
    """Return a figure as PNG with a palette; equal figures give equal bytes."""
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format="png", metadata={"Software": None})
    return reduced(file.getvalue(), colours=colours)


def reduced(content: bytes, width: int | None = None, colours: int = 64) -> bytes:
    """Return a PNG with at most `colours` colours and, if it is wider than `width` pixels, that wide."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    if width is not None and picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    palette = picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    file = io.BytesIO()
    palette.save(file, "PNG", optimize=True)
    return file.getvalue()
