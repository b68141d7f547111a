"""What people read: tables, figures and pages, made from finished results.

tables/, figures/    one file is one table or figure; `lowparam.catalogue` lists them
verdicts/            the verdicts on claims, as every page and table shows them, and the overview of all claims
pages/               the HTML report, the paper, and what the results fill in on pages that people wrote
context, write       what a table or figure is made from, and what writes it
report               everything about an experiment or study
model_report, explanation
                     what is written about a single network
estimates, deployment, known_doses, pareto, readings, star_pairs
                     what several tables and figures compute
table_format, table_latex, formats, style, layout, labels, escape
                     how tables, numbers and figures look, and what things are called in print
"""
