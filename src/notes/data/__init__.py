"""Data: generated tables, MNIST's files, and the arrays that training and evaluation read."""
