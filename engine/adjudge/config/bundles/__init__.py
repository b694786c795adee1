"""Bundles: policies and their files in one signed archive, wherever it lies."""
