"""Doors to AWS, one file a service. botocore's errors end here (``errors.py``); nothing here decides."""
