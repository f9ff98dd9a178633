"""What learns and answers, a folder each: base models, rows, training, answers."""
