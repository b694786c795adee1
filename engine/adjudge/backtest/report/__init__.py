"""Backtests as people and programs read them: a text, JSON, one page of HTML."""
