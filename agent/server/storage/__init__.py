"""Files that clients send ahead of their requests: fal's storage and CDN, and `/v1/uploads`."""
