"""Data sets: sources, one file each, decoding, preparation, and the prepared data that training reads."""

from lowparam.data.dataset import (
    SPLITS,
    Dataset,
    Files,
    Images,
    Streamed,
    channel_statistics,
    load,
    save,
    save_streamed,
    standardise,
)

__all__ = [
    "SPLITS",
    "Dataset",
    "Files",
    "Images",
    "Streamed",
    "channel_statistics",
    "load",
    "save",
    "save_streamed",
    "standardise",
]
