"""Import lowparam where only torch is installed: whatever else is missing is named when it is first used.

A machine with a GPU often has torch and no network. Most libraries that lowparam imports, no training step needs. So a
missing one is replaced, in the modules of lowparam alone, by names that raise `Missing` when they are called. Three are
needed to train and have small stand-ins: the sections of params.yaml (pydantic, here without any check), the seed of an
epoch (NumPy, here with other numbers), and the file of a checkpoint (safetensors, here as torch writes it).
"""

import builtins
import hashlib
import inspect
import io
from types import SimpleNamespace
from typing import Any, get_args, get_origin

import torch

__all__ = ["Missing", "install", "missing"]

missing: set[str] = set()
"""Libraries that lowparam imported and that are not installed."""


class Missing(Exception):
    """A library that is not installed was used."""


class _Placeholder(type):
    """The type of a name of a missing library: a class, so that it can be a base, an annotation, or be caught."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _placeholder(cls.library)

    def __call__(cls, *values: Any, **named: Any) -> Any:
        if "library" not in cls.__dict__:  # a class of lowparam with such a base
            return super().__call__(*values, **named)
        raise Missing(cls.library)


def _placeholder(library: str) -> type:
    return _Placeholder(library, (Exception,), {"library": library})


class _Library:
    """A missing library: every name in it is a placeholder, but for those that have a stand-in."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return STAND_INS.get(self._name, {}).get(name, _placeholder(self._name))


def install() -> None:
    """Replace the import statement: inside lowparam it no longer fails for want of a library."""
    original = builtins.__import__

    def load(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        try:
            return original(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            importer = (globals or {}).get("__name__", "").partition(".")[0]
            if importer != "lowparam" or level or library in ("", "lowparam") or library != name.partition(".")[0]:
                raise
            missing.add(library)
            return _Library(library)

    builtins.__import__ = load


class _Field:
    """A key of a section: its default, and whether it has one."""

    def __init__(self, default: Any = ..., *, default_factory: Any = None, **_: Any) -> None:
        self.default, self.factory, self.annotation = default, default_factory, None

    def is_required(self) -> bool:
        return self.default is ... and self.factory is None


class _BaseModel:
    """A section of params.yaml: keys with defaults. Nothing is checked."""

    model_fields: dict[str, _Field] = {}  # noqa: RUF012 (as pydantic has it)

    def __init_subclass__(cls, **_: Any) -> None:
        own = {key: kind for key, kind in inspect.get_annotations(cls).items() if "ClassVar" not in str(kind)}
        cls.model_fields = dict(cls.model_fields)
        for key, kind in own.items():
            default = cls.__dict__.get(key, ...)
            field = default if isinstance(default, _Field) else _Field(default)
            field.annotation = kind
            cls.model_fields[key] = field

    def __init__(self, **values: Any) -> None:
        for key, field in self.model_fields.items():
            if key not in values and field.is_required():
                raise TypeError(f"{type(self).__name__} needs {key}")
            value = values.get(key, field.factory() if field.factory else field.default)
            section = _section(field.annotation)
            setattr(self, key, section(**value) if section and isinstance(value, dict) else value)

    def __iter__(self):
        return ((key, getattr(self, key)) for key in self.model_fields)

    @classmethod
    def model_validate(cls, values: dict[str, Any]) -> "_BaseModel":
        return cls(**values)

    def model_copy(self, *, update: dict[str, Any] | None = None) -> "_BaseModel":
        return type(self)(**{**dict(self), **(update or {})})

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return {key: value.model_dump() if isinstance(value, _BaseModel) else value for key, value in self}


def _section(kind: Any) -> type | None:
    """Return the section that an annotation names, if it does."""
    kinds = [kind] if get_origin(kind) is None else get_args(kind)
    return next((found for found in kinds if isinstance(found, type) and issubclass(found, _BaseModel)), None)


def _create_model(name: str, *, __base__: type, __doc__: str = "", **fields: Any) -> type:
    """Return a section with some keys, each with its type and its default."""
    kinds = {key: kind for key, (kind, _) in fields.items()}
    return type(name, (__base__,), {"__annotations__": kinds, **{key: field for key, (_, field) in fields.items()}})


def _nothing(*given: Any, **_: Any) -> Any:
    """Be a validator, or the decorator that makes one: neither changes anything."""
    return lambda function: function


class _SeedSequence:
    """One number from several, by a hash; not NumPy's numbers."""

    def __init__(self, values: list[int]) -> None:
        self.digest = hashlib.sha256(repr(values).encode()).digest()

    def generate_state(self, count: int, _: Any) -> list[int]:
        return [int.from_bytes(self.digest[:8], "little") >> 1]


def _save(tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    torch.save({"tensors": tensors, "metadata": metadata}, file)
    return file.getvalue()


class _SafeOpen:
    """The tensors and the metadata of a file that `_save` made."""

    def __init__(self, path: Any, _: str, *, device: str) -> None:
        # From memory: torch would look at the suffix, and require the library that is missing.
        self.content = torch.load(io.BytesIO(path.read_bytes()), map_location=device)

    def __enter__(self) -> "_SafeOpen":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def metadata(self) -> dict[str, str]:
        return self.content["metadata"]

    def keys(self) -> list[str]:
        return list(self.content["tensors"])

    def get_tensor(self, name: str) -> torch.Tensor:
        return self.content["tensors"][name]


STAND_INS: dict[str, dict[str, Any]] = {
    "pydantic": {
        "BaseModel": _BaseModel,
        "Field": _Field,
        "ConfigDict": dict,
        "AfterValidator": _nothing,
        "BeforeValidator": _nothing,
        "create_model": _create_model,
        "field_validator": _nothing,
        "model_validator": _nothing,
    },
    "numpy": {"random": SimpleNamespace(SeedSequence=_SeedSequence), "uint64": int},
    "safetensors": {"save": _save, "safe_open": _SafeOpen},
}
