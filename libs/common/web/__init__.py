"""What every service's HTTP application shares."""
