"""Put the environment, agent package, datasets and models into the bucket."""
