from small_repository import finished, repository

__all__ = ["finished", "repository"]
