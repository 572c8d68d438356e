"""What reading a folder of images costs in seconds, and in memory over several processes."""
