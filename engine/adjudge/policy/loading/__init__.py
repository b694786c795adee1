"""From a document to a typed policy, or to everything that is wrong with it."""
