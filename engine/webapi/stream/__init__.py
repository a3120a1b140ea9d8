"""The websocket: frames, subscriptions and quotes as pure parts, and the socket that carries them."""
