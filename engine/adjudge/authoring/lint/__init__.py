"""The linter: what loads and is still worth a look. One rule, one file."""
