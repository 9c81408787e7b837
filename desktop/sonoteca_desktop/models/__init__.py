"""Qt item models over our own objects; QtCore only."""
