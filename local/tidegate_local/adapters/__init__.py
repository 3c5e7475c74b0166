"""What moto lacks, one small module for each service."""
