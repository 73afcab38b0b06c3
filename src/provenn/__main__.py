"""The command `provenn`, the same as `python -m provenn`."""

import logging
import signal
import sys

from provenn.addresses import shown_uri
from provenn.faults import explained
from provenn.files import UserError
from provenn.interpreter import collect_seldom


def main() -> None:
    """Run the command line; what the user can mend is one sentence and exit code 1."""
    collect_seldom()
    # DVC's bars and its words on locks would tear the table of running stages; what fails is raised.
    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    try:
        from provenn.cli import app  # here, for a package that is missing is such a thing

        app()
    except KeyboardInterrupt:  # while packages are imported: later the command itself sees to it
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        sentence = str(error) if isinstance(error, UserError) else explained(error)
        if sentence is None:
            raise
        print(f"error: {shown_uri(sentence)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
