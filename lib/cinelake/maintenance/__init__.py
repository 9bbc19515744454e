"""Looking after the lake's tables: small files, old files, rows beyond their time, and whether all is whole."""
