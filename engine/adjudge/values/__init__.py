"""What a value may be, how it is read, and how it is written."""
