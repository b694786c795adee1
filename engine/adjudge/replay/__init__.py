"""Recorded decisions, evaluated again."""
