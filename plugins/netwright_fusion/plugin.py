"""What the fusion plugin registers."""
