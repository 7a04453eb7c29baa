"""Public fakes for your tests and ours."""
