"""A fake PyTorch: it has whatever is asked for, and computes nothing. With it pytorch_peer.py runs where there is neither PyTorch nor a GPU."""

import sys


class Fake:
    """Any tensor, module, context or function; as a sequence it has three items."""

    def __init__(self, *_, **__):
        pass

    def __call__(self, *_, **__):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __iter__(self):
        return iter([Fake(), Fake(), Fake()])

    def __len__(self):
        return 3

    def numel(self):
        return 1

    def __exit__(self, *_):
        return False

    __enter__ = __getitem__ = __neg__ = __call__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __mod__ = __matmul__ = __call__


class Version:
    cuda = "0.0"


class Cuda(Fake):
    def is_available(self):
        return True

    def get_device_name(self):
        return "Fake"


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Fake()


__version__ = "0.0"
version, cuda, nn, functional = Version, Cuda(), Fake(), Fake()
nn.Module, nn.functional = Fake, functional
sys.modules["torch.nn"], sys.modules["torch.nn.functional"] = nn, functional
