"""How records come in: folders and topics, importers' landing files, and what is turned away."""
