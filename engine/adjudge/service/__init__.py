"""The engine over HTTP: routes, what is let in, and where it listens. It adds no state of its own."""
