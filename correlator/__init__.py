"""What links events into journeys and folds them."""
