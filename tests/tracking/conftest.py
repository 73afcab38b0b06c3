from toys import serve, toy

__all__ = ["serve", "toy"]
