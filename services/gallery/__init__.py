"""The gallery: accounts, events, photo lists, admin, and live updates."""
