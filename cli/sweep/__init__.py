"""`findme sweep`: what the object store and the database say of one another."""
