"""What healing does to a venue, and what it costs."""
