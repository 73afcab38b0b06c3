"""`python -m provenn`, the same as the command `provenn`."""

from provenn.cli import main

main()
