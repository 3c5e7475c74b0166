"""What inputs must satisfy beyond the service model: pure checks that raise the modelled error."""
