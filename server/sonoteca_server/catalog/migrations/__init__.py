"""How the tables came to their present shape, step by step (Alembic)."""
