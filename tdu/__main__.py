"""``python -m tdu``."""

from tdu.cli import main

if __name__ == "__main__":  # processes that draw figures import this module again
    main()
