"""Where data sets come from, one file each.

A source is a module with a function ``read() -> (parts, classes)`` and the strings ``CITATION`` and ``LICENCE``.
``parts`` maps ``train``, ``validation`` and ``test`` to `Images`, or ``all`` to the images still to be divided.
"""
