"""An embedded server whose truth is known: continuous batching over real sockets."""
