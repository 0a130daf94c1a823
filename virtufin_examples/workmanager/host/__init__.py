"""The worker host: one process that loads one worker's code and runs it (`python -m` this package)."""
