"""What all APIs of Google share: who asks, how an error is worded, how JSON writes a message."""
