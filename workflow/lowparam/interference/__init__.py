"""The interference inside a network: one file a measure, its null beside it, and the toy models that calibrate them.

Nothing here knows an architecture. A network says where its feature maps are (`sites()`), and that is all that is read.
"""
