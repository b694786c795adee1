"""The shape of documents, said once: the JSON Schema for editors and the reference for people are made of it."""
