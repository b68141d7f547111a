"""Parts: design elements that any block can take, one file each, named as in ``mobilenetv2+se``.

A part changes one thing about a block, so that its effect is measured against the same block without it, at equal
parameters. Its file defines:

``SLOT``    what it takes the place of, a key of the table below; a block takes at most one part a slot
``LABEL``   its name in print
``PAPER``   where it comes from; ``EQUALS``: what it must equal in a special case. All four are literal strings.
``make``    a function, or a class, that makes the module:

==============  =================================================================================================
slot            ``make``
==============  =================================================================================================
``kernel``      ``make(shape)``: the parametrization (`torch.nn.utils.parametrize`) of a weight of that shape. Its
                ``forward`` maps what is learned to the weight, its ``right_inverse`` maps the initial weight to what
                is learned, one tensor or a tuple of any length; a tuple ``ON`` names the convolutions:
                ``"spatial"``, ``"pointwise"`` or both; None leaves a weight as it is. See below
``spatial``     ``make(channels, kernel, stride)``: (N, C, H, W) to (N, C, H / stride, W / stride), rounded up
``gate``        ``make(channels)``: (N, C, H, W) to the same shape, on the map that the last pointwise layer reads,
                where MobileNetV3 has its squeeze-and-excitation
``norm``        ``make(channels)``: (N, C, H, W) to the same shape; an `nn.Identity` gives convolutions biases
``activation``  ``make(channels)``: (N, C, H, W) to the same shape
``shortcut``    ``make(channels)``: a module of x and f(x), or None for no shortcut; or ``scale(channels)``: a module
                of f(x) before it is added
``down``        ``make(channels, stride)``: (N, C, H, W) to (N, C, H / stride, W / stride), rounded up, after the
                convolution that strode before and now does not
``head``        ``make(features, classes, size)``: from the last map (N, features, size, size) to logits, in controlled
                mode
==============  =================================================================================================

A made kernel may be larger than the block's: the padding grows with it. What is learned decays as a weight does, and is
what a budget counts; a buffer is neither learned nor counted. The module may have attributes that change this:

``undecayed``    names of learned tensors that do not decay (``original0``, ``original1`` and so on, in the order of
                 ``right_inverse``, or ``0.name`` for one of its own), each with the factor of its learning rate
``collapses``    True: count the weight and not what is learned, because only the weight remains after training
``stored_bits``  a function of the weight and of the bits of a real value: bits that store the weight, where they are
                 not those of what is counted

A part that depends on where it is in the network, or that initialises it in its own way, may also define

``share``   for a kernel, a function of the shapes of all its weights in the network, in order: the module that they
            are all made from. ``make(shape, shared, index)`` then gets it with the number of the weight, and must not
            register it as its own child; it is `shared_kernel` of the network, and may declare ``undecayed``
``finish``  a function of the complete network, whose weights are initialised; it changes the network in place, and is
            called before kernels are made. Convolutions that a block made have a ``role``, as in ``ON``.

A module that changes while training has a method ``plan(steps)``, which training calls with the number of its steps; it
counts them itself, in a buffer, so that a checkpoint has the count. ``unused_later`` lists its children that nothing
reads after training: a budget does not count them. A norm that is a batch norm in eval mode has its ``weight`` and
``running_var``, so that measures fold it.

Settings that a paper compares are files of their own, such as ``se_r8`` and ``se_r16``; what they share is in a file of
this folder whose name begins with an underscore, or in ``layers``. A new file is found by itself.
`lowparam.models.make.Make` puts the parts in.
"""
