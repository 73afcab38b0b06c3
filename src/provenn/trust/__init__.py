"""What is asked of a result: where it comes from (lineage), and whether it comes out again (reproduce)."""
