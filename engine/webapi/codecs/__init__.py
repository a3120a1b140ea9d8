"""Decoders, pure and total: bytes in, a fact or `Unreadable` out, never an exception."""
