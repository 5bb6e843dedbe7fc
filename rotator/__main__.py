"""``python -m rotator`` is the command ``rotator``."""

from rotator.cli import main

main()
