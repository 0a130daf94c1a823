"""The peers: programs that are run as files in an environment of their own, with nothing of the project."""
