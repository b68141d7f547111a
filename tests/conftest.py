import torch

torch.set_num_threads(1)  # tests run next to other work, where two threads are slower than one
