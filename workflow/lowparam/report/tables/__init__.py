"""Tables of experiments, verdicts and studies: one file is one table, found by itself.

A file ``report/tables/<name>.py`` becomes ``results/<subject>/tables/<name>.{csv,md,tex}``. It has a docstring, whose
first line describes what the table shows, and declares at its head, as literals that are read without an import:

``CAPTION``
    A sentence or two that make the table readable by itself: what, unit, spread, number of runs. ``{experiment}``,
    ``{seeds}`` and the keys of `Table.details` are filled in.
``APPLIES`` (optional)
    A tuple of names of conditions in `lowparam.catalogue`; the table exists where all of them hold. Default: always.
``OF`` (optional)
    ``"experiment"`` (default), ``"verdicts"``, or the name of a study such as ``"toy"``.
``ORDER`` (optional)
    Position among the tables; small ones come first. Default 100; ties by name.
``ON_PAGE`` (optional)
    False keeps the table off the HTML report. Default True.

and defines

``make(context: Context) -> Table``
    Compute the table. `lowparam.report.context.Context` gives the settings, the runs and everything else, read when
    requested. Name and caption are filled in by the writer.
"""
