"""What client and gateway say to each other: messages, codes, codec, and the server's side of one session. Pure."""
