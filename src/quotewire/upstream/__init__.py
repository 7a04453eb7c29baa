"""Several people's logins as one source of quotes."""
