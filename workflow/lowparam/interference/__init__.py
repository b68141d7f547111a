"""The interference inside a network: measures, their nulls, and profiles of networks.

Nothing here knows an architecture. A network names its feature maps (`sites()`), and only these are read.

    measures/            one file a measure; ``measures/__init__.py`` states the protocol
    context.py           what a measure may use: network, sites, sums, images, settings
    held_out.py          the images to measure on
    sums.py              sums over a feature map, per fold of images
    one_pass.py          one pass over the images, with hooks, that fills the sums
    profile.py           all measures of a network, and of the untrained one
    profile_scale.py     profiles of trained runs, from files to files
    profile_model.py     the profile of any network on given images
    profile_timm.py      the profile of a network of timm
    summary.py           from a profile to the columns of runs.csv (pandas only)
    measurement.py       one measured value, its interval and null
    figure_data.py       arrays behind the figures of a profile
    norm_statistics.py   recalibrates batch norms of untrained networks
    reliability.py       intraclass correlation of measures over runs
    direction_sets.py    further numbers about sets of directions, for toy models
    known_superposition.py  networks whose superposition is known
    known_behaviour.py   what measures show there
    measure_table.py     writes the tables of measures in docs/science/interference.md
"""
