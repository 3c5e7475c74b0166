"""What the steps of a deployment share on its way to its end."""
