"""Whether a prepared data set is the one that params.yaml describes: one answer for commands, rules and the workflow.

A data set is determined by the files of its source, its settings, and the code that reads them. Its manifest identifies
all three, so that it does not matter who prepared it: Snakemake, ``lowparam prepare``, or another machine.

This module imports neither torch nor pandas, because the Snakefile reads it at every start.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowparam import files, image_files, paths, provenance, registry
from lowparam.errors import LowparamError
from lowparam.files import read_json, sha256
from lowparam.params import Data, Params, data_without_defaults

__all__ = [
    "find_difference",
    "folder_for",
    "identity",
    "images_sha256",
    "is_valid",
    "keep_hashes",
    "rule_identity",
    "seal",
]


def identity(params: Params, name: str) -> str:
    """Return a hash of all that determines a prepared data set; its manifest has it.

    Where images are makes no difference, but which they are does, as long as they are there.
    """
    return files.content_sha256(_identity(params, name, exclude={"path"}))


def images_sha256(manifest: Mapping[str, Any]) -> str | None:
    """Return the hash of the images of a manifest, by which runs tell whether they saw the same ones.

    Of arrays it is that of their file. The file of images that stay on disk lists names and sizes, so that there the
    hash of the source counts as well: of all contents, or of very large folders of the contents of some files.
    """
    if not manifest.get("streaming"):
        return manifest.get("sha256")
    source = _source_of(manifest)
    contents = source.get("contents_sha256") or source["source_sha256"]
    return files.content_sha256([manifest["sha256"], contents])


def rule_identity(params: Params, name: str) -> dict[str, Any]:
    """Return the same for the rules, in words; training has to find images that stay on disk, so their path counts."""
    return _identity(params, name, exclude=set() if params.data[name].stream else {"path"})


def _identity(params: Params, name: str, *, exclude: set[str]) -> dict[str, Any]:
    data = params.data[name]
    return {
        **_source(name, data),
        "data": data.model_dump(exclude_defaults=True, exclude=exclude),
        "code_sha256": provenance.digest(provenance.ENTRIES["prepare"], *provenance.of_source(data.source)),
    }


def _source(name: str, data: Data) -> Mapping[str, str | None]:
    """Identify the files of a source, or, where they are not, those that the data set was prepared from."""
    if data.path is None:
        return {}
    folder = Path(data.path).expanduser()
    if found := image_files.fingerprint(folder):
        contents = image_files.contents_sha256(folder) if _is_identified_by_contents(data) else None
        return {"source_sha256": found} | ({} if contents is None else {"contents_sha256": contents})
    with contextlib.suppress(LowparamError):  # a damaged manifest tells nothing, and is to be written anew
        manifest = _manifest(name)
        if _is_of_another_path(manifest, data):
            return {"source_sha256": None, "missing": data.path}
        return _source_of(manifest)
    return {"source_sha256": None}


def _source_of(manifest: Mapping[str, Any]) -> Mapping[str, str | None]:
    """Return what a manifest tells of the files that a data set was prepared from, as `_source` does."""
    contents = manifest.get("source_files", {}).get("contents_sha256")
    return {"source_sha256": manifest.get("source_sha256")} | (
        {} if contents is None else {"contents_sha256": contents}
    )


def _is_identified_by_contents(data: Data) -> bool:
    """Whether the manifest has the hash of the contents of a folder, as that of custom images has."""
    known = data.source in registry.entries("data/sources")
    return known and registry.constants("data/sources", data.source).get("IDENTIFIED_BY") == "contents"


def _is_of_another_path(manifest: Mapping[str, Any], data: Data) -> bool:
    """Whether a data set was prepared from another ``path`` than params.yaml has; False if that is not known."""
    before = manifest.get("source_files", {}).get("path_sha256")
    return before is not None and before != files.content_sha256(data.path)


def _manifest(name: str) -> dict[str, Any]:
    """Return the manifest of a data set; empty if it is not prepared."""
    manifest = paths.manifest(name)
    return read_json(manifest) if manifest.exists() else {}


def is_valid(params: Params, name: str) -> bool:
    """Whether a data set is prepared as params.yaml describes it, by this code, complete and undamaged."""
    try:
        manifest = _manifest(name)
        if manifest.get("identity") != identity(params, name) or seal(manifest) != manifest:
            return False
        stored, _ = paths.prepared(name, params.data[name].stream)
        return sha256(stored) == manifest["sha256"] and _is_located(name, params.data[name])
    except (LowparamError, OSError):
        return False


def _is_located(name: str, data: Data) -> bool:
    """Whether images that stay on disk are where ``path`` is; where that is not here, they may be anywhere."""
    if not data.stream:
        return True
    location, path = Path(read_json(paths.location(name))), data.path and Path(data.path).expanduser()
    return not path or not path.is_dir() or location.is_relative_to(path.absolute())


def find_difference(params: Params, name: str) -> str | None:
    """Return in words how a data set that is prepared differs from what params.yaml describes, None if it does not.

    Its code is not compared: who has no images cannot prepare them again.
    """
    if not (manifest := _manifest(name)):
        return None
    folder, data = paths.data(name), params.data[name]
    before = _source_of(manifest)
    if data.path is not None and before["source_sha256"] is not None:
        found = _source(name, data)
        if "missing" in found:
            return f"data.{name}.path: {data.path} does not exist, and {folder} was prepared from another folder"
        if any(found.get(key) != digest for key, digest in before.items()):
            return f"{folder} was prepared from other files than those in data.{name}.path"
    then, now = (data_without_defaults(settings) for settings in (manifest.get("settings", {}), data.spec()))
    for key in sorted({*then, *now}):
        if then.get(key) != now.get(key):
            was, wanted = (_words(settings, key) for settings in (then, now))
            return f"{folder} was prepared with other settings: data.{name}.{key} was {was} and is {wanted} now"
    return None


def _words(settings: Mapping[str, Any], key: str) -> str:
    default = Data.model_fields[key].default if key in Data.model_fields else None
    return json.dumps(settings.get(key, default), ensure_ascii=False)


def folder_for(params: Params, experiment: str) -> Path:
    """Return the folder of the prepared data of an experiment, for commands that read them.

    Raises
    ------
    LowparamError
        If they were prepared from other files or with other settings than params.yaml has now.
    """
    name = params.experiment(experiment).data
    if difference := find_difference(params, name):
        raise LowparamError(f"{difference}; run: lowparam prepare {name}")
    return paths.data(name)


def keep_hashes(params: Params, name: str) -> None:
    """Keep the hashes of the files of a source, so that later processes read only those that were changed."""
    data = params.data[name]
    if data.path is not None and _is_identified_by_contents(data):
        image_files.keep_contents(Path(data.path).expanduser())


def seal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Add the hash of all else to a manifest, so that an edit is found."""
    return files.seal(manifest, "manifest_sha256")
