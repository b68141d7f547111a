"""Around Snakemake and DVC: preparation, stages, records, locks, status, pruning, predictions."""
