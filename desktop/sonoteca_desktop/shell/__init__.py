"""The commands of a shell: push, pull and list, with the window's engine and without Qt."""
