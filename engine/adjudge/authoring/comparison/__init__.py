"""Two policies side by side: on every input that there could be, and on the traffic of a log."""
