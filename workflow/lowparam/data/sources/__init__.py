"""Read images from their sources, one file each.

A source is a module with

- ``read(name, data) -> (splits, classes)``: ``splits`` maps ``train``, ``validation`` and ``test``, or ``train`` and
  ``test``, or ``all``, to `Images` or `Files`; missing splits are made from these;
- ``shape(name, data)``: the number of ``classes``, the ``in_channels`` and the ``size``, without reading any image;
- ``OPTIONS``: the keys of `Data` that it takes, in addition to those that all take;
- the strings ``CITATION`` and ``LICENCE``, and ``FILES``, the checksums of the files it reads, if they are known; or
  ``files(name, data)``, which returns them, where they depend on the settings.

A source of files that may change has ``IDENTIFIED_BY = "contents"``, a literal, and in ``files`` the entries
``contents_sha256`` and ``path_sha256`` (`lowparam.prepared_data`).

Where the pixels are not those that published results are on, ``REMARK``, a literal, is printed behind our accuracies in
the table of published results.
"""
