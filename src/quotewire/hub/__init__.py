"""Who wants which symbol, and what each client is owed. Opens nothing."""
