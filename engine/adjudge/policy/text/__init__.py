"""The text of a policy: strict YAML, its scalars, and the files that it names."""
