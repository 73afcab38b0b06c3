"""Where data comes from: MNIST's files from outside, and tables that are generated."""
