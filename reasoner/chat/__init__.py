"""The one client for OpenAI-compatible chat servers: vLLM, NIM, and whatever speaks like them."""
