"""The one port: REST, the WebSocket in two dialects, health, metrics, and the built dashboard."""
