"""Frames from a socket to a subscriber in another process: how many a second, how late, at what cost."""
