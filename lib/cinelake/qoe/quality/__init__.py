"""How sessions fared, under the names that others give to what they measure."""
