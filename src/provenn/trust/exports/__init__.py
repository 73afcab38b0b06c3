"""What a commit records, in the formats of others: a module a format, each with `write(commit, target)`."""
