"""What two FindMe services need; imports no service."""
