"""Engine.IO v4: sessions, and the transports that carry their packets. Knows nothing of Socket.IO."""
