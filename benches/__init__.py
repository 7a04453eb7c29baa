"""What quotewire costs and sustains, measured beside its peers. `python -m benches` runs it; docs/performance.md tells."""
