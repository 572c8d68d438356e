"""The use cases, one module each: begin or resume a study, render it again, compare, verify, submit, train long."""
