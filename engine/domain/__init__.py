"""Values and the order state machine; imports nothing of ours but errors."""
