"""Where data sets come from, one file each.

A source is a module with a function ``read() -> (parts, classes)``, the strings ``CITATION`` and ``LICENCE``, and
``SHAPE``, which gives the number of ``classes``, the ``in_channels`` and the ``size`` without reading any image.
``parts`` maps ``train``, ``validation`` and ``test`` to `Images`, or ``all`` to the images still to be divided.
"""
