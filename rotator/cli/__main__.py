"""``python -m rotator.cli`` is the command ``rotator``."""

from rotator.cli import main

main()
