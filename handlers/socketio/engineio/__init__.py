"""Engine.IO v4: sessions and transports, independent of Socket.IO."""
