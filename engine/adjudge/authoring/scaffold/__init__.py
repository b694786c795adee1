"""A new policy, its tests and a check for its pull requests, from a few answers."""
