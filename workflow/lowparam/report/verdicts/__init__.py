"""Verdicts in print: one view of them for Markdown, LaTeX macros, the overview, the tables and the HTML report."""
