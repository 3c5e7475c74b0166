"""Load balancers that really forward, check health and drain, in plain Python."""
