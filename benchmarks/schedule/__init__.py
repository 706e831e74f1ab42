"""How close the loop comes to the shortest schedule there is, on scripted parts with Cosmos3's published latencies."""
