"""Streaming quality as records come in: the code of the batch, over what a stream remembers."""
