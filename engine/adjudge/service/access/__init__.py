"""Who asks the service, and what they are allowed. It imports nothing of the routes."""
