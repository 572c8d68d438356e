"""Statistics, the outlook on longer cycles, and the verdict; the only room that imports scipy."""
