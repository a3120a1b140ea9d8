"""What a person says to a running daemon, and what it answers: protocol, socket, state folder, trading state."""
