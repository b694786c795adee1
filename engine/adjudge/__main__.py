"""`python -m adjudge` is the command `adjudge`."""

from adjudge.cli import main

main()
