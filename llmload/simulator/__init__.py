"""An embedded LLM server whose truth is known: a process of its own, real sockets, faults on demand."""
