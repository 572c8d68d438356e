"""What longer cycles than those of a search would have reached, on data sets like those of users."""
