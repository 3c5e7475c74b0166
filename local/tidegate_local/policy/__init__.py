"""IAM as far as the local cloud judges it: which statements allow which calls."""
