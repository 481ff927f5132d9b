"""The generative adversarial networks, one file for each paper."""
