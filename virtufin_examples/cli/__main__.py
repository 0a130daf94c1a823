"""`python -m virtufin_examples.cli` is `virtufin`."""

from virtufin_examples.cli import main

main()
