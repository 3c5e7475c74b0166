"""The bounds of a local cloud."""

#: The most hosts: they share the machine's memory, and their network (a /24) has no more than 254 addresses.
MOST_HOSTS = 200

#: Hosts that only answer what was recorded: ten thousand, and as many again for blue/green.
MOST_RECORDED = 20_000
