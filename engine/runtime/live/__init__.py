"""The daemon's nursery: the cores of the replay ring on bounded channels, where nothing waits for an answer."""
