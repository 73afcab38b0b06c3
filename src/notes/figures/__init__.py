"""Every picture: a module a family, plain arrays in, a matplotlib Figure out, written by `canvas.save`."""
