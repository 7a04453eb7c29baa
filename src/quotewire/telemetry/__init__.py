"""Events, the catalogue of metrics, and one exporter per file."""
