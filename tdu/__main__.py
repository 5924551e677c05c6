"""The command `tdu`, and ``python -m tdu``."""

import sys

from tdu import interrupts


def main() -> None:
    """Run the command in this process, which from the first moment on ends in one line when it is asked to."""
    interrupts.listen()
    try:
        from tdu.cli import main as command

        command()
    except KeyboardInterrupt:  # while modules were loaded
        sys.exit(interrupts.report())


if __name__ == "__main__":  # processes that draw figures import this module again
    main()
