"""What the book's pictures need beside the results: one module a widget, named as its ES module in book/static/widgets.

Each has `compute(root) -> dict[str, Any]`, from the project's folder with data, models and results to files by name:
bytes as they are, anything else as JSON. `data.json` is what the widget is given, `picture.png` what stands in its
place without JavaScript. A widget shows and infers; what it shows was computed here. Beside them are `pictures`, which
makes small PNGs, `verdict_tables`, which says what of the studies can be looked up, and `libraries`, which pages carry.
"""
