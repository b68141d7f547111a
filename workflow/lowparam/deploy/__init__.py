"""Take a network home: export it to other runtimes, and measure what a device needs for it.

What this needs in addition to lowparam (onnx, onnxruntime and onnxscript, ``pip install 'lowparam[deploy]'``) is
imported when it is first used, through `lowparam.deploy.packages`, which names what is missing.
"""
