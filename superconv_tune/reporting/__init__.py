"""verdict.json, report.html, recipe.yaml and the console."""
