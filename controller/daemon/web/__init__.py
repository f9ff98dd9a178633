"""What a daemon shows over HTTP: pages, health, metrics, and an entry for webhooks."""
