"""The demonstration: two revisions to a fleet of local hosts, the second of which is rolled back."""
