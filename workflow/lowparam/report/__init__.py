"""What people read: tables, figures and pages, made from finished results.

tables/, figures/    one file is one table or figure; `lowparam.catalogue` lists them
verdicts/            the verdicts on claims, as every page and table shows them
pages/               the HTML report, the overview of all claims, the paper
context, write       what a table or figure is made from, and what writes it
table_format, formats, style, layout, labels
how tables, numbers and figures look, and what things are called in print
"""
