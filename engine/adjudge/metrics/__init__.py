"""What is counted, for Prometheus: one registry for what decisions, engines and the service have to show."""
