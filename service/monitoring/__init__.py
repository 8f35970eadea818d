"""Files for those who watch the service: a Grafana dashboard, and alert rules for Prometheus."""
