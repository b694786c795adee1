"""Which version of a policy decides, and which ones only watch."""
