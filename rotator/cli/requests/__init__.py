"""Requests of operators: made, followed until the change is over, and taken back."""
