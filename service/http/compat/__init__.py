"""Other services' interfaces: OpenAI images and the Open Inference Protocol."""
