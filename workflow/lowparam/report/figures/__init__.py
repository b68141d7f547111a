"""Figures of experiments, verdicts and studies: one file is one figure, found by itself.

A file ``report/figures/<name>.py`` becomes ``results/<subject>/figures/<name>.{pdf,png}``. It has a docstring, whose
first line describes what the figure shows, and declares at its head, as literals that are read without an import:

``CAPTION``
    A sentence or two that make the figure readable by itself. ``{experiment}``, ``{seeds}`` and ``{family}`` are
    filled in.
``APPLIES``, ``OF``, ``ORDER``, ``ON_PAGE`` (optional)
    As for tables (`lowparam.report.tables`).
``PER`` (optional)
    ``"family"``: one figure for each family of architectures, ``<name>_<family>``, drawn from `Context.profiles`.
``SHOWN`` (optional)
    True if a Markdown page shows the figure: its PNG is then also written to ``results/<subject>/shown``, the one
    folder of pictures that git keeps. Default False.

and defines

``make(context: Context) -> Figure``
    Draw a matplotlib figure, no wider than `lowparam.report.style.TEXT_WIDTH`. The writer sets the style, saves and
    closes it.
"""
