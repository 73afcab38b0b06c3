"""Every picture: plain values in, a matplotlib Figure out, written by `canvas.save`. Drawing stages alone use it."""
