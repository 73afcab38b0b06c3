"""The notes' claims, a module each: CLAIM, NOTES, RULE, `measure(settings, seed)` and `judge(rows, settings)`."""
