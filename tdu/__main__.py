"""``python -m tdu``."""

from tdu.cli import main

main()
