"""From a typed policy to one generated function, and to a verdict."""
