"""First-party plugins. They import only what `adjudge` makes public for plugins."""
