"""How the pure core grows with the fleet, and what importing costs. Start it with ``python -m bench.micro``."""
