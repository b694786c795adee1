"""What the parts of a condition mean by the types of what they stand beside: bare words, dates, shares, functions."""
