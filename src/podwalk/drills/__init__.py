"""The question bank: questions as data, asked, graded, remembered and carried into other quiz formats."""
