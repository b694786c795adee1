"""The audit log: the product's memory, and evidence."""
