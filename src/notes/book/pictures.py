"""Still pictures as bytes, for the files that `compute` returns."""

import io

from matplotlib.figure import Figure
from PIL import Image

from notes.figures import canvas

COLOURS = 96  # of a palette that keeps those of the series; fewer blur vermilion into brown


def png(figure: Figure) -> bytes:
    """Return a figure as PNG with a palette; equal figures give equal bytes."""
    return reduced(canvas.png(figure))


def reduced(content: bytes, width: int | None = None) -> bytes:
    """Return a PNG with a palette and, if it is wider than `width` pixels, that wide."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    if width is not None and picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    palette = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    file = io.BytesIO()
    palette.save(file, "PNG", optimize=True)
    return file.getvalue()
