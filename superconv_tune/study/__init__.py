"""One study from the command to the report: opens it, runs it on a cluster, concludes it, resumes it."""
