"""What is around the blocks of a network: stem, stages and head, one file a skeleton."""
