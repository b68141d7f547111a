"""Look into a network: what an output depends on in an image, what a unit looks for, and what a map keeps of an image.

    attributions/        one file a method; ``attributions/__init__.py`` states the protocol
    network.py           everything about one network on some images
    scores.py            attributions against the known places of what they should show
    sanity.py            attributions of a network whose weights are shuffled
    visualisation.py     images that drive an output or a unit
    inversion.py         images that have the same map as a given one
    detectors.py         units as detectors of features, or of classes
    packages.py          names a package that is missing

Pictures persuade whether they are right or not. So each attribution is compared with that of shuffled weights, and
where the places of features are known (a mask for each image), with these.
"""
