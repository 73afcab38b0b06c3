"""The figure of each study, a module of its name: `draw(rows, verdict)` on the rows of its table."""
