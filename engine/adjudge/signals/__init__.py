"""Asking for signals: what to ask, when to stop, and what a failure means."""
