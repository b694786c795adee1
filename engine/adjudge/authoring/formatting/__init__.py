"""The house form of policies and their tests: one way to write each thing, and every comment where it was."""
