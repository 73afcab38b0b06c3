"""What no commit, experiment or run needs any more, and its removal: `provenn gc`. Nothing else deletes results."""
