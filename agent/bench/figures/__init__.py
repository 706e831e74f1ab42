"""What scores are worth beside people's labels, by scikit-learn and scipy where these compute it."""
