"""The committed pages that show results, and the check that they show those of this commit."""
