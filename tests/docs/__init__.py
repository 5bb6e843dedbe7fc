"""The pages of the documentation: those that are made from the code, and what holds for all of them."""
