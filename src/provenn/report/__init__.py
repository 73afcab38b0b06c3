"""What a change did: two locks compared, their metrics judged, as Markdown and as a page. No stage is run."""
