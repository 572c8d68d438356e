"""Plain torch modules, sized by one width."""
