"""Results as DataFrames, with the columns of the listings and the names and numbers as they are: not rounded, not made safe for a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.listings import FORMATS, WORDS, values_of
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.particles.listing import own_micrographs, scores_of, uids_of
from cryodedup.particles.result import ParticleOutcome

if TYPE_CHECKING:
    import pandas as pd


def rejected_particles(found: ParticleOutcome) -> pd.DataFrame:
    """A row for each rejected particle, as in ``duplicates.csv``; what is not known is NaN or <NA>."""
    import pandas as pd

    rejected, of = found.rejected, found.duplicate_of
    is_known = np.zeros(len(rejected), bool) if found.params.remove_entirely else of != rejected
    columns = _identities(found, rejected, np.ones(len(rejected), bool), "")
    names = [micrograph.name for picks in found.joined.picks for micrograph in picks.micrographs]
    columns["micrograph"] = pd.Series([names[i] for i in own_micrographs(found.joined.picks)[rejected]], dtype=object)
    in_a = found.centres.in_angstrom
    axes = found.coordinates_a.shape[1]
    columns |= {f"{axis}_a": found.coordinates_a[rejected, k] if in_a else np.nan for k, axis in enumerate("xyz"[:axes])}
    columns["score"] = scores_of(found.joined.picks)[rejected]
    columns |= _identities(found, of, is_known, "kept_")
    columns["distance_a"] = found.distances_a if in_a else np.nan
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rejected)))


def _identities(found: ParticleOutcome, rows: NDArray[np.int64], is_known: NDArray[np.bool_], prefix: str) -> dict[str, Any]:
    """Source, row and uid of particles."""
    import pandas as pd

    rows = np.where(is_known, rows, 0)
    picks, source_of = found.joined.picks, found.joined.source_of[rows]
    has_uid = np.array([pick.uids is not None for pick in picks])[source_of]
    labels = pd.Series([picks[i].label for i in source_of], dtype=object)
    return {
        f"{prefix}source": labels.where(is_known, None),
        f"{prefix}row": pd.Series(rows - found.joined.bounds[source_of], dtype="Int64").where(is_known),
        f"{prefix}uid": pd.Series(uids_of(picks)[rows], dtype="UInt64").where(is_known & has_uid),
    }


def pairs_of_micrographs(found: MicrographOutcome) -> pd.DataFrame:
    """A row for each pair, as in ``duplicates.csv``; those of ``overlaps.csv`` follow, without a ``set``."""
    import pandas as pd

    names = found.names
    rows = [
        {
            "Original": names[pair.first],
            "Duplicate": names[pair.second],
            "set": pair.set or None,
            **values_of(found.exposures.acquisitions, pair),
        }
        for pair in found.pairs
    ]
    frame = pd.DataFrame(rows, columns=["Original", "Duplicate", "set", *FORMATS, *WORDS])
    return frame.astype({"set": "Int64", **dict.fromkeys(FORMATS, float)})
