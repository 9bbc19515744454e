"""Cinelake: the data-mining suite of a video-streaming service."""

__version__ = "0.1.0"
