"""How credentials stand: read, laid out for people, and watched."""
