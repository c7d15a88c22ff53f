"""Where replies go out: composed bytes, addressed, published and confirmed."""
