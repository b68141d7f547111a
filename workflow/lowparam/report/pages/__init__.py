"""Pages made from results: the HTML report of an experiment, the paper, and Markdown pages of verdicts."""
