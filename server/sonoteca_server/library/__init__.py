"""What Sonoteca does with sounds, without a word of HTTP."""
