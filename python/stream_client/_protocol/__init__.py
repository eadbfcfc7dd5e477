"""The native protocol, and connections that speak it; see docs/PROTOCOL.md."""
