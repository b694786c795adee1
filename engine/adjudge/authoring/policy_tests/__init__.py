"""The tests that a policy carries: run, measured and suggested."""
