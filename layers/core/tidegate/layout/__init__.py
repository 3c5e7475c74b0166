"""How a deployment is laid out when it begins: its fleet, its way and its balancers."""
