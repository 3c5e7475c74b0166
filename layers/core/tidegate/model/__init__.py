"""Values shared by all of the package. Knows nothing of AWS, stores or time."""
