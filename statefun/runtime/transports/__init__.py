"""Transports: how a batch of messages reaches the function that it is for."""
