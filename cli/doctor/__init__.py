"""`findme doctor`: what would bite tomorrow, looked for today."""
