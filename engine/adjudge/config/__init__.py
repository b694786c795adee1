"""The operator's configuration file, and the engine put together from it."""
