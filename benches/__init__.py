"""What quotewire costs and sustains, measured beside its peers: `python -m benches`, told in docs/performance.md."""
