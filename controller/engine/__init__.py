"""One pass: look, plan, guard, apply, record."""
